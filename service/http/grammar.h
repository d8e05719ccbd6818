// The small grammar of RFC 9110 5.6: tokens, lists, field values.
#pragma once

#include <string_view>

#include "service/text/ascii.h"

namespace tokenrelay::http {

using text::is_digit;
using text::lower;
using text::same_text;
using text::to_lower;
using text::trim;

constexpr bool is_token_char(char c) {
  if (is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z')) return true;
  return std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

bool is_token(std::string_view text);                                    // one or more token characters
bool is_field_value(std::string_view text);                              // no control character but HTAB
std::string_view next_of(std::string_view& list, char separator = ',');  // takes the first member off, trimmed

}  // namespace tokenrelay::http
