#include "service/text/ascii.h"

#include <algorithm>

namespace tokenrelay::text {
namespace {

std::string_view without(std::string_view text, std::string_view white) {
  const size_t first = text.find_first_not_of(white);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(white) - first + 1);
}

}  // namespace

bool same_text(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return to_lower(x) == to_lower(y); });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), to_lower);
  return out;
}

std::string_view trim(std::string_view text) {
  return without(text, " \t");
}

std::string_view strip(std::string_view text) {
  return without(text, " \t\r\n");
}

}  // namespace tokenrelay::text
