#include "service/json/utf8.h"

#include <cstring>

namespace tokenrelay::json {
namespace {

// The lead byte decides the length and the range of the second byte (Unicode table 3-7).
struct Lead {
  unsigned length = 0;  // 0: never starts a code point
  unsigned char low = 0x80, high = 0xBF;
};

Lead classify(unsigned char byte) {
  if (byte < 0x80) return {1};
  if (byte < 0xC2) return {};
  if (byte < 0xE0) return {2};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {};
}

}  // namespace

size_t ascii_prefix(std::string_view text) {
  size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    uint64_t word;
    std::memcpy(&word, text.data() + at, 8);
    if (word & 0x8080808080808080ull) break;
  }
  while (at < text.size() && static_cast<unsigned char>(text[at]) < 0x80) ++at;
  return at;
}

Utf8Step utf8_step(std::string_view text, size_t at) {
  using Kind = Utf8Step::Kind;
  const Lead lead = classify(static_cast<unsigned char>(text[at]));
  if (lead.length == 0) return {Kind::invalid, 1};
  for (unsigned i = 1; i < lead.length; ++i) {
    if (at + i == text.size()) return {Kind::cut_short, i};
    const auto byte = static_cast<unsigned char>(text[at + i]);
    const bool good = i == 1 ? byte >= lead.low && byte <= lead.high : (byte & 0xC0) == 0x80;
    if (!good) return {Kind::invalid, i};
  }
  return {Kind::valid, lead.length};
}

bool valid_utf8(std::string_view text) {
  size_t at = ascii_prefix(text);
  while (at < text.size()) {
    const Utf8Step step = utf8_step(text, at);
    if (step.kind != Utf8Step::Kind::valid) return false;
    at += step.length;
    at += ascii_prefix(text.substr(at));
  }
  return true;
}

size_t utf8_prefix(std::string_view text, size_t max_bytes) {
  if (text.size() <= max_bytes) return text.size();
  size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return end;
}

void append_utf8(std::string& out, uint32_t code_point) {
  const auto put = [&out](uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) return put(code_point);
  if (code_point < 0x800) return put(0xC0 | code_point >> 6), put(0x80 | (code_point & 0x3F));
  if (code_point < 0x10000) {
    put(0xE0 | code_point >> 12);
  } else {
    put(0xF0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3F));
  }
  put(0x80 | (code_point >> 6 & 0x3F));
  put(0x80 | (code_point & 0x3F));
}

}  // namespace tokenrelay::json
