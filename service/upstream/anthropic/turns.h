// A prompt's messages as `system` and `messages` of the Messages dialect (DIALECTS.md, Messages: request).
//
// System messages, wherever they stand, become `system`. Turns alternate: neighbours of one role are one turn, and tool
// results are the user's. Left out: empty text, which the API refuses, and reasoning that carries no signature.
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
