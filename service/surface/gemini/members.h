// Members of Google's JSON: in camelCase, and in the snake_case that protobuf's JSON reads as well.
#pragma once

#include <string>
#include <string_view>

#include "service/json/parse.h"

namespace tokenrelay::surface {

std::string camel_name(std::string_view name);

// The object with its own members' names in camelCase; null members, which mean nothing, are left out.
json::Value camel_members(const json::Value& object);

}  // namespace tokenrelay::surface
