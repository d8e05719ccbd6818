// `tools` and `tool_choice` of a Messages request. Tools that the client runs become functions; tools that run at
// Anthropic, or that only its models support, go unchanged to upstreams of kind `anthropic`, and only to those.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Adds the tools to the neutral `parameters`, or to `own`, which only an upstream of kind `anthropic` gets.
tl::expected<void, Error> read_anthropic_tools(const json::Value& tools, std::string_view kind, json::Value& parameters,
                                               json::Value& own);
tl::expected<void, Error> read_anthropic_tool_choice(const json::Value& choice, json::Value& parameters);

}  // namespace tokenrelay::surface
