// `systemInstruction` and `contents` of a Gemini request as the neutral request's messages (upstream/prompt.h).
//
// The results of functions become separate messages, before the rest of their turn. A result is matched to its call by
// id, or by the function's name if the client keeps no ids. Ids that repeat in a conversation, because models count
// from the start in every answer, are made unique. Adjacent turns of the model become one. The thoughts of earlier
// turns are left out, and signatures go back to the kind of upstream they came from (opaque.h).
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// An array of messages. `body` has its members' names in camelCase.
tl::expected<json::Value, Error> read_gemini_turns(const json::Value& body, std::string_view upstream_kind);

}  // namespace tokenrelay::surface
