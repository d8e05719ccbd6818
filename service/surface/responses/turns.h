// Responses input as neutral messages (upstream/prompt.h).
//
// The items of one turn of the model (reasoning, message, function_call) become one assistant message, each output of a
// call one tool message. Reasoning goes back only to the kind of upstream it came from. Errors name the client's field:
// input[2].content[0].
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Appends to `messages`, an array.
tl::expected<void, Error> read_responses_input(const json::Value& input, std::string_view upstream_kind,
                                               json::Value& messages);

}  // namespace tokenrelay::surface
