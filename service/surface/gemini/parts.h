// A part of a Gemini turn that is neither a function call nor a result, as a content part of the neutral request.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Null: the part is left out. `part` has its members' names in camelCase; `thought` collects the text of thoughts until
// something else follows, because another provider's signature needs it.
tl::expected<json::Value, Error> read_gemini_part(const json::Value& part, const std::string& place,
                                                  std::string_view upstream_kind, std::string& thought);

}  // namespace tokenrelay::surface
