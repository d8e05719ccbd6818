#include "service/json/write.h"

#include <algorithm>
#include <array>
#include <cstring>

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

// Whether the code point at text[at], of several bytes and whole, is U+0080 to U+009F, U+2028 or U+2029.
bool breaks_lines(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[at + i]); };
  if (byte(0) == 0xC2) return byte(1) < 0xA0;
  return byte(0) == 0xE2 && byte(1) == 0x80 && (byte(2) == 0xA8 || byte(2) == 0xA9);
}

// Appends the escape of a code point for which breaks_lines() is true. Rare, so it is kept out of the token path.
[[gnu::noinline, gnu::cold]] void append_line_break(std::string& out, std::string_view sequence) {
  if (sequence.size() == 2) return append_escaped(out, static_cast<unsigned char>(sequence[1]));
  out += sequence[2] == '\xA8' ? "\\u2028" : "\\u2029";
}

// Appends the character at text[at], which needs escaping or is invalid, and returns its length.
size_t append_special(std::string& out, std::string_view text, size_t at) {
  const auto byte = static_cast<unsigned char>(text[at]);
  if (byte < 0x80) {
    append_escaped(out, byte);
    return 1;
  }
  const Utf8Step step = utf8_step(text, at);
  if (step.kind == Utf8Step::Kind::valid) {
    append_line_break(out, text.substr(at, step.length));
  } else {
    out += replacement_character;
  }
  return step.length;
}

// Where the run of characters that are copied unchanged ends.
size_t end_of_run(std::string_view text, size_t at) {
  for (;;) {
    while (at < text.size() && plain[static_cast<unsigned char>(text[at])]) ++at;
    if (at == text.size() || static_cast<unsigned char>(text[at]) < 0x80) return at;
    const Utf8Step step = utf8_step(text, at);
    if (step.kind != Utf8Step::Kind::valid || breaks_lines(text, at)) return at;
    at += step.length;
  }
}

// Whether the eight bytes at `at` are ASCII without DEL.
bool plain_word(const char* at) {
  uint64_t word;
  std::memcpy(&word, at, 8);
  return ((word | (word + 0x0101010101010101ull)) & 0x8080808080808080ull) == 0;
}

// The offset of the next byte, from `at` on, that begins a character that may have to be escaped in whole JSON.
size_t next_suspect(std::string_view json, size_t at) {
  while (at < json.size()) {
    while (at + 8 <= json.size() && plain_word(json.data() + at)) at += 8;
    const size_t end = std::min(json.size(), at + 8);
    for (; at < end; ++at) {
      if (json[at] == '\x7F' || json[at] == '\xC2' || json[at] == '\xE2') return at;
    }
  }
  return at;
}

// The length of the character at json[at] if it is to be escaped, else 0. `json` must be valid UTF-8.
size_t length_if_escaped(std::string_view json, size_t at) {
  if (json[at] == '\x7F') return 1;
  if (!breaks_lines(json, at)) return 0;
  return json[at] == '\xC2' ? 2 : 3;
}

}  // namespace

std::string escaped(std::string json) {
  std::string out;
  size_t copied = 0;
  for (size_t at = next_suspect(json, 0); at < json.size(); at = next_suspect(json, at)) {
    const size_t length = length_if_escaped(json, at);
    if (length == 0) {
      ++at;
      continue;
    }
    out.append(json, copied, at - copied);
    append_special(out, json, at);
    at += length;
    copied = at;
  }
  if (copied == 0) return json;
  return out.append(json, copied);
}

void append_string(std::string& out, std::string_view text) {
  out.push_back('"');
  size_t at = 0;
  while (at < text.size()) {
    const size_t end = end_of_run(text, at);
    out.append(text, at, end - at);
    at = end;
    if (at < text.size()) at += append_special(out, text, at);
  }
  out.push_back('"');
}

}  // namespace tokenrelay::json
