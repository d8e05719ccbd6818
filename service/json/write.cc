#include "service/json/write.h"

#include <array>

#include "service/json/utf8.h"

namespace tokenrelay::json {
namespace {

// Bytes that are copied unchanged: ASCII except control characters, quote and backslash.
constexpr std::array<bool, 256> make_plain() {
  std::array<bool, 256> plain{};
  for (int byte = 0x20; byte < 0x7F; ++byte) plain[byte] = byte != '"' && byte != '\\';
  return plain;
}
constexpr auto plain = make_plain();

void append_escaped(std::string& out, unsigned char byte) {
  static constexpr char hex[] = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      out += "\\u00";
      out += hex[byte >> 4];
      out += hex[byte & 15];
  }
}

// Appends the character at text[at], which needs escaping or checking, and returns its length.
size_t append_special(std::string& out, std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) {
    append_escaped(out, byte);
    return 1;
  }
  const Utf8Step step = utf8_step(text, at);
  const std::string_view sequence = text.substr(at, step.length);
  if (step.kind != Utf8Step::Kind::valid) {
    out += replacement_character;
  } else if (sequence == "\xE2\x80\xA8") {
    out += "\\u2028";
  } else if (sequence == "\xE2\x80\xA9") {
    out += "\\u2029";
  } else {
    out += sequence;
  }
  return step.length;
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  out.push_back('"');
  size_t at = 0;
  while (at < text.size()) {
    size_t end = at;
    while (end < text.size() && plain[static_cast<unsigned char>(text[end])]) ++end;
    out.append(text, at, end - at);
    at = end;
    if (at < text.size()) at += append_special(out, text, at);
  }
  out.push_back('"');
}

}  // namespace tokenrelay::json
