// The pull reader and the strict parser on the same text: what the strict one accepts the reader accepts, with equal
// strings; a Joiner always makes valid UTF-8 of it.
#include <string>

#include "service/json/joiner.h"
#include "service/json/parse.h"
#include "service/json/sax.h"
#include "service/json/utf8.h"
#include "service/json/write.h"
#include "tests/fuzz/harness.h"

namespace {

using namespace tokenrelay;
using Kind = json::Reader::Kind;

void read(json::Reader& in, std::string& out) {
  switch (in.peek()) {
    case Kind::object:
      out += '{';
      in.object([&](std::string_view key) {
        json::append_string(out, key);
        read(in, out);
      });
      out += '}';
      break;
    case Kind::array:
      out += '[';
      in.array([&] { read(in, out); });
      out += ']';
      break;
    case Kind::string: {
      json::Joiner joiner;
      std::string buffer;
      const std::string text(in.string());
      std::string whole(joiner.next(text, buffer));
      whole += joiner.flush();
      fuzz::require(json::valid_utf8(whole));
      json::append_string(out, whole);
      break;
    }
    default:
      in.skip();
      out += '.';
  }
}

void write(const json::Value& value, std::string& out) {
  if (value.is_object()) {
    out += '{';
    for (const auto& [key, member] : value.items()) {
      json::append_string(out, key);
      write(member, out);
    }
    out += '}';
  } else if (value.is_array()) {
    out += '[';
    for (const auto& element : value) write(element, out);
    out += ']';
  } else if (value.is_string()) {
    json::append_string(out, value.get_ref<const std::string&>());
  } else {
    out += '.';
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  std::string scratch, by_reader, by_parser;
  json::Reader in(text, scratch);
  read(in, by_reader);
  const bool accepted = in.at_end();
  json::Reader skipper(text, scratch);
  skipper.skip();
  fuzz::require(skipper.at_end() >= accepted);  // reading sees more of a string than skipping does
  const auto value = json::parse(text);
  if (!value) return 0;
  if (text.substr(0, 3) == "\xEF\xBB\xBF") return 0;  // nlohmann skips a BOM
  write(*value, by_parser);
  fuzz::require(accepted && by_reader == by_parser);
  json::dump(*value);
  return 0;
}
