// `tools` and `tool_choice` of a Messages request: those that the client runs are functions; those that run
// at Anthropic, or that only its models understand, go to its own upstreams as they came and to no other.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Into the neutral `parameters`, or into `own`, which only an upstream of kind `anthropic` is given.
tl::expected<void, Error> read_anthropic_tools(const json::Value& tools, std::string_view kind, json::Value& parameters,
                                               json::Value& own);
tl::expected<void, Error> read_anthropic_tool_choice(const json::Value& choice, json::Value& parameters);

}  // namespace tokenrelay::surface
