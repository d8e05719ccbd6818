#include "service/relay/excerpts.h"

#include <charconv>
#include <cstdio>

#include "service/text/base64.h"

namespace tokenrelay::relay {
namespace {

constexpr size_t digits = 8;

std::string draw_name(const Random& random) {
  unsigned char bytes[26];
  random(bytes, sizeof bytes);
  return "~" + text::random_letters(bytes);
}

}  // namespace

Excerpts::Excerpts(const Random& random, size_t most) : name_(draw_name(random)), most_(most) {}

void Excerpts::append(std::string& text, Place& place, const Excerpt& events, std::string_view piece) {
  if (place.number != 0) {
    all_[place.number - 1].upto = events.upto;
    return;
  }
  if (text.empty()) place.after = events.after;
  if (held_ + piece.size() <= most_ || text.size() + piece.size() <= short_bytes) {
    text += piece;
    held_ += piece.size();
    return;
  }
  held_ -= text.size();
  all_.push_back({place.after, events.upto, events.kind, events.call});
  place.number = all_.size();
  std::string(mark(place.number)).swap(text);
  held_ += text.size();
}

std::string Excerpts::mark(size_t number) const {
  char hex[digits + 1];
  std::snprintf(hex, sizeof hex, "%08zx", number);
  return name_ + hex;
}

size_t Excerpts::mark_bytes() const {
  return name_.size() + digits;
}

Excerpts::Found Excerpts::find(std::string_view bytes, size_t from) const {
  for (size_t at = bytes.find(name_, from); at != bytes.npos; at = bytes.find(name_, at + 1)) {
    if (at + mark_bytes() > bytes.size()) break;
    size_t number = 0;
    const char* const first = bytes.data() + at + name_.size();
    const auto [end, error] = std::from_chars(first, first + digits, number, 16);
    if (error == std::errc() && end == first + digits && number >= 1 && number <= all_.size()) {
      return {at, &all_[number - 1]};
    }
  }
  return {};
}

}  // namespace tokenrelay::relay
