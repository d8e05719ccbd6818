#include <algorithm>
#include <cctype>
#include <charconv>

#include "service/surface/gemini/members.h"
#include "service/surface/gemini/tools.h"
#include "service/text/ascii.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

// In protobuf's JSON, 64-bit numbers are strings.
Value number_of(const Value& value) {
  if (!value.is_string()) return value;
  const auto& text = value.get_ref<const std::string&>();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? Value(number) : value;
}

Value schemas_of(const Value& given) {
  Value out = given;
  for (auto& inner : out) inner = json_schema_of(inner);
  return out;
}

}  // namespace

// The recursion is as deep as a request may be nested.
Value json_schema_of(const Value& schema) {
  if (!schema.is_object()) return schema;
  Value out = Value::object();
  const Value given = camel_members(schema);
  for (const auto& [name, value] : given.items()) {
    if (name == "type" && value.is_string()) {
      if (value != "TYPE_UNSPECIFIED") out["type"] = text::lower(value.get<std::string>());
    } else if (name == "properties" || name == "anyOf") {
      out[name] = schemas_of(value);
    } else if (name == "items") {
      out[name] = json_schema_of(value);
    } else if (name.starts_with("min") || name.starts_with("max")) {
      out[name] = number_of(value);
    } else if (name != "nullable" && name != "propertyOrdering" && name != "example") {
      out[name] = value;
    }
  }
  const bool nullable = given.contains("nullable") && given["nullable"] == true;
  if (nullable && out.contains("type") && out["type"].is_string()) {
    out["type"] = Value::array({out["type"], "null"});
    if (out.contains("enum") && out["enum"].is_array()) out["enum"].push_back(nullptr);
  }
  return out;
}

}  // namespace tokenrelay::surface
