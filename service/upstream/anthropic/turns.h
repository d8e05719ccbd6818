// A prompt's messages as `system` and `messages` of the Messages dialect (DIALECTS.md, Messages: request).
//
// All system messages become `system`. Turns alternate: adjacent messages of one role are one turn, and tool results
// belong to the user's. Left out: empty text, which the API refuses, and reasoning without a signature.
#pragma once

#include <tl/expected.hpp>

#include "service/upstream/prompt.h"

namespace tokenrelay::upstream {

struct AnthropicTurns {
  json::Value system = json::Value::array();  // text blocks
  json::Value messages = json::Value::array();
};
tl::expected<AnthropicTurns, UnsupportedField> anthropic_turns(const Prompt& prompt);

}  // namespace tokenrelay::upstream
