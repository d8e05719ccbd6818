// Member names in Google's JSON: camelCase, or snake_case, which protobuf's JSON accepts, too.
#pragma once

#include <string>
#include <string_view>

#include "service/json/parse.h"

namespace tokenrelay::surface {

std::string camel_name(std::string_view name);

// The object with its members' names in camelCase (not those of nested objects), and without its null members.
json::Value camel_members(const json::Value& object);

// null, "", [], {}, and the default of an enumeration ("MODE_UNSPECIFIED").
bool says_nothing(const json::Value& value);

}  // namespace tokenrelay::surface
