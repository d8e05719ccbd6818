#include "service/json/sax.h"

#include <bit>
#include <charconv>
#include <cstring>

#include "service/json/utf8.h"

namespace tokenrelay::json {
namespace {

constexpr uint64_t every_byte(unsigned char byte) {
  return 0x0101010101010101ull * byte;
}

// Sets the high bit where a byte of `word` is zero; exact up to the first one, and only that is used.
constexpr uint64_t zero_bytes(uint64_t word) {
  return (word - every_byte(1)) & ~word & every_byte(0x80);
}

// The first quote or backslash from `at` on, eight bytes a step.
const char* find_special(const char* at, const char* end) {
  if constexpr (std::endian::native == std::endian::little) {
    for (; end - at >= 8; at += 8) {
      uint64_t word;
      std::memcpy(&word, at, 8);
      const uint64_t hit = zero_bytes(word ^ every_byte('"')) | zero_bytes(word ^ every_byte('\\'));
      if (hit) return at + (std::countr_zero(hit) >> 3);
    }
  }
  while (at != end && *at != '"' && *at != '\\') ++at;
  return at;
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

const char* digits(const char* at, const char* end) {
  while (at != end && is_digit(*at)) ++at;
  return at;
}

// The end of the number at `at` by the grammar of RFC 8259, or null.
const char* number_end(const char* at, const char* end) {
  if (at != end && *at == '-') ++at;
  if (at == end || !is_digit(*at)) return nullptr;
  at = *at == '0' ? at + 1 : digits(at, end);
  if (at != end && *at == '.') {
    const char* fraction = at + 1;
    at = digits(fraction, end);
    if (at == fraction) return nullptr;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    ++at;
    if (at != end && (*at == '+' || *at == '-')) ++at;
    const char* exponent = at;
    at = digits(exponent, end);
    if (at == exponent) return nullptr;
  }
  return at;
}

}  // namespace

bool is_json(std::string_view text) {
  std::string scratch;
  Reader in(text, scratch);
  in.skip();
  return in.at_end();
}

size_t find_special(std::string_view text) {
  return static_cast<size_t>(find_special(text.data(), text.data() + text.size()) - text.data());
}

bool Reader::fail() {
  ok_ = false;
  at_ = end_;
  return false;
}

void Reader::skip_space() {
  while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
}

Reader::Kind Reader::peek() {
  skip_space();
  if (at_ == end_) return Kind::nothing;
  switch (*at_) {
    case '{':
      return Kind::object;
    case '[':
      return Kind::array;
    case '"':
      return Kind::string;
    case 't':
    case 'f':
      return Kind::boolean;
    case 'n':
      return Kind::null;
    default:
      return is_digit(*at_) || *at_ == '-' ? Kind::number : Kind::nothing;
  }
}

bool Reader::enter(char open, char close) {
  skip_space();
  if (at_ == end_ || *at_ != open) {
    skip();
    return false;
  }
  if (depth_left_ == 0) return fail();
  ++at_;
  skip_space();
  if (at_ != end_ && *at_ == close) {
    ++at_;
    return false;
  }
  --depth_left_;
  return true;
}

bool Reader::next(char close) {
  skip_space();
  if (at_ == end_) return fail();
  if (*at_ == ',') {
    ++at_;
    skip_space();
    return at_ != end_ ? true : fail();
  }
  if (*at_ != close) return fail();
  ++at_;
  ++depth_left_;
  return false;
}

std::string_view Reader::read_key() {
  skip_space();
  if (at_ == end_ || *at_ != '"') {
    fail();
    return {};
  }
  const std::string_view key = read_string();
  skip_space();
  if (at_ == end_ || *at_ != ':') {
    fail();
    return {};
  }
  ++at_;
  skip_space();
  return key;
}

std::string_view Reader::string() {
  if (peek() == Kind::string) return read_string();
  skip();
  return {};
}

std::string_view Reader::read_string() {
  const char* const from = at_ + 1;
  const char* const stop = find_special(from, end_);
  if (stop == end_) {
    fail();
    return {};
  }
  if (*stop == '\\') return unescape(from);
  at_ = stop + 1;
  return {from, static_cast<size_t>(stop - from)};
}

std::string_view Reader::unescape(const char* from) {
  scratch_.clear();
  at_ = from;
  for (;;) {
    const char* const stop = find_special(at_, end_);
    scratch_.append(at_, stop);
    at_ = stop;
    if (at_ == end_) {
      fail();
      return {};
    }
    if (*at_++ == '"') return scratch_;
    if (!append_escape()) return {};
  }
}

bool Reader::append_escape() {
  if (at_ == end_) return fail();
  switch (*at_++) {
    case '"':
      scratch_ += '"';
      return true;
    case '\\':
      scratch_ += '\\';
      return true;
    case '/':
      scratch_ += '/';
      return true;
    case 'b':
      scratch_ += '\b';
      return true;
    case 'f':
      scratch_ += '\f';
      return true;
    case 'n':
      scratch_ += '\n';
      return true;
    case 'r':
      scratch_ += '\r';
      return true;
    case 't':
      scratch_ += '\t';
      return true;
    case 'u':
      break;
    default:
      return fail();
  }
  uint32_t unit = 0;
  if (!hex4(unit)) return fail();
  const bool high = unit >= 0xD800 && unit < 0xDC00;
  if (high && end_ - at_ >= 6 && at_[0] == '\\' && at_[1] == 'u') {
    const char* const second = at_;
    at_ += 2;
    uint32_t low = 0;
    if (!hex4(low)) return fail();
    if (low >= 0xDC00 && low < 0xE000) {
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    } else {
      at_ = second;  // not its partner: a character of its own
    }
  }
  append_utf8(scratch_, unit);
  return true;
}

bool Reader::hex4(uint32_t& unit) {
  if (end_ - at_ < 4) return false;
  const auto [stop, error] = std::from_chars(at_, at_ + 4, unit, 16);
  if (error != std::errc() || stop != at_ + 4) return false;
  at_ += 4;
  return true;
}

std::string_view Reader::number() {
  if (peek() != Kind::number) {
    skip();
    return {};
  }
  const char* const from = at_;
  const char* const stop = number_end(from, end_);
  if (!stop) {
    fail();
    return {};
  }
  at_ = stop;
  return {from, static_cast<size_t>(stop - from)};
}

std::optional<int64_t> Reader::integer() {
  const std::string_view text = number();
  int64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || stop != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view Reader::word(std::string_view expected) {
  if (static_cast<size_t>(end_ - at_) < expected.size() || std::memcmp(at_, expected.data(), expected.size()) != 0) {
    fail();
    return {};
  }
  at_ += expected.size();
  return expected;
}

bool Reader::boolean() {
  // After the word, at_[-2] is the u of "true" or the s of "false".
  if (peek() == Kind::boolean) return !word(*at_ == 't' ? "true" : "false").empty() && at_[-2] == 'u';
  skip();
  return false;
}

std::string_view Reader::raw() {
  skip_space();
  const char* const from = at_;
  skip();
  return ok_ ? std::string_view(from, static_cast<size_t>(at_ - from)) : std::string_view();
}

void Reader::skip() {
  switch (peek()) {
    case Kind::object:
      return object([](std::string_view) {});
    case Kind::array:
      return array([] {});
    case Kind::string:
      return skip_string();
    case Kind::number:
      return void(number());
    case Kind::boolean:
      return void(boolean());
    case Kind::null:
      return void(word("null"));
    case Kind::nothing:
      fail();
  }
}

void Reader::skip_string() {
  ++at_;
  for (;;) {
    at_ = find_special(at_, end_);
    if (at_ == end_) return void(fail());
    if (*at_++ == '"') return;
    if (at_ == end_) return void(fail());
    ++at_;
  }
}

bool Reader::at_end() {
  skip_space();
  return ok_ && at_ == end_;
}

}  // namespace tokenrelay::json
