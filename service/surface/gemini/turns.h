// `systemInstruction` and `contents` of a Gemini request as the neutral request's messages (upstream/prompt.h).
//
// A function's results become messages of their own, before what else their turn says. A result finds its call by id,
// or by the function's name where the client keeps no ids; ids that come twice in a conversation, as models count them
// anew in every answer, are told apart. Neighbouring turns of the model are one. Thoughts that an earlier turn showed
// are left out, and signatures go to the kind that gave them (gemini_opaque.h).
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// An array of messages. `body` has its members' names in camelCase.
tl::expected<json::Value, Error> read_gemini_turns(const json::Value& body, std::string_view upstream_kind);

}  // namespace tokenrelay::surface
