#include "service/http/grammar.h"

#include <algorithm>

namespace tokenrelay::http {

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

std::string_view next_of(std::string_view& list, char separator) {
  size_t end = list.find(separator);
  std::string_view member = list.substr(0, end);
  list.remove_prefix(end == std::string_view::npos ? list.size() : end + 1);
  return trim(member);
}

}  // namespace tokenrelay::http
