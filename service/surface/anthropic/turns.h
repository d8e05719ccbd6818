// `system` and `messages` of a Messages request as neutral messages (upstream/prompt.h).
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// Where a neutral message was in the client's request, so that a refusal can name the place.
struct AnthropicPlace {
  std::string own;                 // "system", "messages[3]", "messages[3].content[0]"
  std::vector<std::string> parts;  // of each part of its content
  std::vector<std::string> calls;  // of each of its tool calls
};

struct AnthropicTurns {
  json::Value messages = json::Value::array();
  std::vector<AnthropicPlace> places;

  // The client's place for a neutral one ("messages[2].content[0]").
  std::string client_place(const std::string& neutral) const;
};

// `kind` is the upstream's. cache_control and what only Anthropic supports are kept only for that kind.
tl::expected<AnthropicTurns, Error> read_anthropic_turns(const json::Value& system, const json::Value& messages,
                                                         std::string_view kind);

}  // namespace tokenrelay::surface
