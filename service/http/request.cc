#include "service/http/request.h"

#include "service/http/grammar.h"

namespace tokenrelay::http {
namespace {

// "q=0", "q=0.0": not acceptable.
bool refused(std::string_view parameters) {
  while (!parameters.empty()) {
    std::string_view one = next_of(parameters, ';');
    if (one.size() < 3 || to_lower(one[0]) != 'q' || one[1] != '=') continue;
    return one.substr(2).find_first_not_of("0.") == std::string_view::npos;
  }
  return false;
}

std::optional<std::string_view> first(const std::vector<std::pair<std::string, std::string>>& list,
                                      std::string_view name) {
  for (const auto& [key, value] : list) {
    if (key == name) return value;
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::string_view> Request::header(std::string_view lower_name) const {
  return first(headers, lower_name);
}

std::optional<std::string_view> Request::query_value(std::string_view name) const {
  return first(query, name);
}

bool Request::accepts(std::string_view media_type) const {
  std::string range(media_type.substr(0, media_type.find('/')));
  range += "/*";
  bool by_range = false;
  for (const auto& [name, value] : headers) {
    if (name != "accept") continue;
    std::string_view list = value;
    while (!list.empty()) {
      std::string_view parameters = next_of(list);
      std::string_view type = next_of(parameters, ';');
      if (same_text(type, media_type)) return !refused(parameters);  // the more specific one decides (RFC 9110 12.5.1)
      if (same_text(type, range)) by_range = !refused(parameters);
    }
  }
  return by_range;
}

}  // namespace tokenrelay::http
