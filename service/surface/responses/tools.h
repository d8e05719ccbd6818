// `tools` and `tool_choice` of a Responses request. Functions become those of Chat Completions; every other tool is
// OpenAI's own and goes unchanged, but only to an upstream of the same protocol.
#pragma once

#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Adds the tools to `parameters`, or to `own`, the members of x_responses.body.
tl::expected<void, Error> read_responses_tools(const json::Value& tools, bool same_protocol, json::Value& parameters,
                                               json::Value& own);
tl::expected<void, Error> read_responses_tool_choice(const json::Value& choice, bool same_protocol,
                                                     json::Value& parameters, json::Value& own);

}  // namespace tokenrelay::surface
