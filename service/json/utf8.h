// UTF-8 (RFC 3629) where it may be cut anywhere.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tokenrelay::json {

bool valid_utf8(std::string_view text);

// The longest prefix of valid UTF-8 `text` that is at most `max_bytes` and ends at a code point's end.
size_t utf8_prefix(std::string_view text, size_t max_bytes);

// What is at text[at]: a code point, a sequence that the end of `text` cuts short, or invalid bytes (`length` is then
// the "maximal subpart" to replace by one U+FFFD, as the WHATWG decoder does).
struct Utf8Step {
  enum class Kind { valid, cut_short, invalid } kind;
  size_t length;
};
Utf8Step utf8_step(std::string_view text, size_t at);

// The length of the leading run of ASCII.
size_t ascii_prefix(std::string_view text);

void append_utf8(std::string& out, uint32_t code_point);

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";

}  // namespace tokenrelay::json
