// `tools`, `toolConfig` and schemas of a Gemini request, translated into the neutral format.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Reads both from `body` (its names in camelCase) into `parameters`. What only Google supports goes to `own`, members
// of the upstream's request body; if `own` is null, it is refused.
tl::expected<void, Error> read_gemini_tools(const json::Value& body, json::Value& parameters, json::Value* own);

// Google's Schema (OpenAPI 3.0, types in capitals, counts as strings) as JSON Schema.
json::Value json_schema_of(const json::Value& schema);

}  // namespace tokenrelay::surface
