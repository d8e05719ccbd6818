// Said: what was said so far, as far as is needed to compare it with what comes later as a whole: its length and a hash
// (FNV-1a), not the text. Threads: any one.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tokenrelay::upstream {

class Said {
 public:
  void add(std::string_view text) {
    bytes_ += text.size();
    hash_ = hash(text, hash_);
  }
  bool anything() const { return bytes_ > 0; }

  // What of `whole` is not said yet; nullopt if it does not begin with what was said.
  std::optional<std::string_view> rest_of(std::string_view whole) const {
    if (whole.size() < bytes_ || hash(whole.substr(0, bytes_), seed) != hash_) return std::nullopt;
    return whole.substr(bytes_);
  }

 private:
  static constexpr uint64_t seed = 0xcbf29ce484222325u;
  static uint64_t hash(std::string_view text, uint64_t value) {
    for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return value;
  }

  size_t bytes_ = 0;
  uint64_t hash_ = seed;
};

}  // namespace tokenrelay::upstream
