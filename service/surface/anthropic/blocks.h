// One content block of a Messages request as a part of a neutral message (upstream/prompt.h).
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Text, images, documents, thinking. `place` names the block in a refusal.
tl::expected<json::Value, Error> neutral_part(const json::Value& block, const std::string& place,
                                              std::string_view kind);

// {"type":"tool_use"} as a call of a function.
tl::expected<json::Value, Error> neutral_call(const json::Value& block, const std::string& place);

}  // namespace tokenrelay::surface
