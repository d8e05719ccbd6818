// A part of a Gemini turn that is neither a function call nor a result, as a content part of the neutral request.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Null: nothing to carry. `part` has its members' names in camelCase; `thought` gathers what thoughts said until
// something else is said, for a signature of another provider's.
tl::expected<json::Value, Error> read_gemini_part(const json::Value& part, const std::string& place,
                                                  std::string_view upstream_kind, std::string& thought);

}  // namespace tokenrelay::surface
