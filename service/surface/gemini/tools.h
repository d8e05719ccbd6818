// `tools`, `toolConfig` and schemas of a Gemini request, in neutral words.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Both read `body` (its names in camelCase) and write to `parameters`. What only Google knows goes to `own`, which is
// an upstream's request body; null: there it is refused.
tl::expected<void, Error> read_gemini_tools(const json::Value& body, json::Value& parameters, json::Value* own);

// Google's Schema (OpenAPI 3.0, types in capitals, counts as strings) as JSON Schema.
json::Value json_schema_of(const json::Value& schema);

}  // namespace tokenrelay::surface
