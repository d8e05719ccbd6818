// `tools` and `tool_choice` of a Responses request. Functions become Chat Completions' own; every other tool is
// OpenAI's and goes, as it came, only to an upstream that speaks this protocol too.
#pragma once

#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Into `parameters`, or into `own`: members of x_responses.body.
tl::expected<void, Error> read_responses_tools(const json::Value& tools, bool same_protocol, json::Value& parameters,
                                               json::Value& own);
tl::expected<void, Error> read_responses_tool_choice(const json::Value& choice, bool same_protocol,
                                                     json::Value& parameters, json::Value& own);

}  // namespace tokenrelay::surface
