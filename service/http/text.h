// The small grammar of RFC 9110 5.6 (tokens, lists, optional white space) and ASCII case; locale-free.
#pragma once

#include <string>
#include <string_view>

namespace tokenrelay::http {

constexpr char to_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_token_char(char c) {
  if (is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text);                    // one or more token characters
bool is_field_value(std::string_view text);              // no control character but HTAB
bool same_text(std::string_view a, std::string_view b);  // ASCII case does not count
std::string lower(std::string_view text);
std::string_view trim(std::string_view text);                            // SP and HTAB at both ends
std::string_view next_of(std::string_view& list, char separator = ',');  // takes the first member off, trimmed

}  // namespace tokenrelay::http
