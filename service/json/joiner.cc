#include "service/json/joiner.h"

#include <cstdint>
#include <cstring>

#include "service/json/utf8.h"

namespace tokenrelay::json {
namespace {

// The surrogate that the three bytes at text[at] encode, or 0.
uint32_t surrogate_at(std::string_view text, size_t at) {
  if (at + 3 > text.size() || text[at] != '\xED') return 0;
  const auto second = static_cast<unsigned char>(text[at + 1]), third = static_cast<unsigned char>(text[at + 2]);
  if (second < 0xA0 || second > 0xBF || (third & 0xC0) != 0x80) return 0;
  return 0xD000u | (second & 0x3Fu) << 6 | (third & 0x3Fu);
}

bool is_high(uint32_t surrogate) {
  return surrogate >= 0xD800 && surrogate < 0xDC00;
}

// True if `rest`, the end of a piece, could be the start of a surrogate whose second byte lies in [low, high].
bool may_become_surrogate(std::string_view rest, unsigned char low, unsigned char high) {
  if (rest.empty() || rest.size() > 2 || rest[0] != '\xED') return false;
  return rest.size() == 1 ||
         (static_cast<unsigned char>(rest[1]) >= low && static_cast<unsigned char>(rest[1]) <= high);
}

// True if text[at], the end of a piece, may still become a surrogate pair.
bool may_become_pair(std::string_view text, size_t at) {
  const std::string_view rest = text.substr(at);
  if (may_become_surrogate(rest, 0xA0, 0xAF)) return true;
  if (!is_high(surrogate_at(text, at))) return false;
  return rest.size() == 3 || may_become_surrogate(rest.substr(3), 0xB0, 0xBF);
}

}  // namespace

std::string_view Joiner::next(std::string_view piece, std::string& buffer) {
  if (held_size_ == 0 && valid_utf8(piece)) return piece;
  std::string whole(held_, held_size_);
  whole += piece;
  held_size_ = 0;
  buffer.clear();
  repair(whole, buffer);
  return buffer;
}

void Joiner::repair(std::string_view text, std::string& out) {
  size_t at = 0;
  const auto hold = [&](size_t from) {
    held_size_ = static_cast<unsigned char>(text.size() - from);
    std::memcpy(held_, text.data() + from, held_size_);
  };
  while (at < text.size()) {
    const Utf8Step step = utf8_step(text, at);
    if (step.kind == Utf8Step::Kind::valid) {
      out.append(text, at, step.length);
      at += step.length;
      continue;
    }
    if (step.kind == Utf8Step::Kind::cut_short || may_become_pair(text, at)) return hold(at);
    const uint32_t first = surrogate_at(text, at);
    if (first == 0) {
      out += replacement_character;
      at += step.length;
      continue;
    }
    const uint32_t second = surrogate_at(text, at + 3);
    if (is_high(first) && second >= 0xDC00) {
      append_utf8(out, 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00));
      at += 6;
      continue;
    }
    out += replacement_character;
    at += 3;
  }
}

std::string_view Joiner::flush() {
  if (held_size_ == 0) return {};
  held_size_ = 0;
  return replacement_character;
}

std::string repaired(std::string_view text) {
  if (valid_utf8(text)) return std::string(text);
  Joiner joiner;
  std::string out;
  joiner.next(text, out);
  out += joiner.flush();
  return out;
}

}  // namespace tokenrelay::json
