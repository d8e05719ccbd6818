// ASCII text, whatever the locale: case, digits, white space. The lowest layer: every other layer may use it.
#pragma once

#include <string>
#include <string_view>

namespace tokenrelay::text {

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

bool same_text(std::string_view a, std::string_view b);  // ignoring case
std::string lower(std::string_view text);
std::string_view trim(std::string_view text);   // SP and HTAB at both ends
std::string_view strip(std::string_view text);  // line ends too

}  // namespace tokenrelay::text
