#include "service/json/blank.h"

#include <algorithm>

namespace tokenrelay::json {

bool is_blank(const Value& value) {
  if (value.is_object()) return std::all_of(value.begin(), value.end(), is_blank);
  return is_empty(value) || value == false || (value.is_number() && value == 0);
}

bool is_empty(const Value& value) {
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value.is_null() || (value.is_structured() && value.empty());
}

}  // namespace tokenrelay::json
