# Writes the C++ file that implements assets.h from the page's files.
#   cmake -DOUT=<file.cc> "-DFILES=<a;b;…>" -P embed.cmake
# Byte arrays rather than string literals: no limit on length, no escaping, no pedantic warning.
cmake_minimum_required(VERSION 3.25)
if(NOT OUT)
  message(FATAL_ERROR "embed.cmake: OUT is not set")
endif()

set(types_html "text/html; charset=utf-8")
set(types_css "text/css; charset=utf-8")
set(types_js "text/javascript; charset=utf-8")
set(types_svg "image/svg+xml")

set(arrays "")
set(rows "")
set(count 0)
set(has_index FALSE)
list(SORT FILES)
foreach(file IN LISTS FILES)
  get_filename_component(name "${file}" NAME)
  get_filename_component(extension "${file}" LAST_EXT)
  string(SUBSTRING "${extension}" 1 -1 extension)
  if(NOT DEFINED types_${extension})
    message(FATAL_ERROR "embed.cmake: no content type for ${name}")
  endif()
  file(READ "${file}" hex HEX)
  file(SHA256 "${file}" hash)
  if(hex STREQUAL "")
    message(FATAL_ERROR "embed.cmake: ${name} is empty")
  endif()
  string(SUBSTRING "${hash}" 0 32 tag)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${hex}")
  set(path "/${name}")
  if(name STREQUAL "index.html")
    set(path "/")
    set(has_index TRUE)
  endif()
  string(APPEND arrays "constexpr char bytes_${count}[] = {${bytes}};  // ${name}\n")
  string(APPEND rows "    {\"${path}\", \"${types_${extension}}\", {bytes_${count}, sizeof bytes_${count}}, \"\\\"${tag}\\\"\"},\n")
  math(EXPR count "${count} + 1")
endforeach()
if(NOT has_index)
  message(FATAL_ERROR "embed.cmake: FILES has no index.html")
endif()

file(WRITE "${OUT}.new" "// Written by service/web/embed.cmake; do not edit.
#include \"service/web/assets.h\"

namespace tokenrelay::web {
namespace {

${arrays}
constexpr Asset table[] = {
${rows}};

}  // namespace

std::span<const Asset> assets() { return table; }

}  // namespace tokenrelay::web
")
file(RENAME "${OUT}.new" "${OUT}")
