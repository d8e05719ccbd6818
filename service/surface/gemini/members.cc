#include "service/surface/gemini/members.h"

#include "service/json/blank.h"

namespace tokenrelay::surface {

using json::Value;

std::string camel_name(std::string_view name) {
  std::string out;
  bool upper = false;
  for (const char c : name) {
    if (c == '_') {
      upper = !out.empty();
      continue;
    }
    out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return out;
}

Value camel_members(const Value& object) {
  Value out = Value::object();
  if (!object.is_object()) return out;
  for (const auto& [name, value] : object.items()) {
    if (!value.is_null()) out[camel_name(name)] = value;
  }
  return out;
}

bool says_nothing(const Value& value) {
  if (json::is_empty(value)) return true;
  return value.is_string() && value.get_ref<const std::string&>().ends_with("_UNSPECIFIED");
}

}  // namespace tokenrelay::surface
