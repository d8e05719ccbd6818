// `systemInstruction` and `contents` of a Gemini request as the neutral request's messages (upstream/prompt.h).
//
// A function's results become messages of their own, before what else their turn says. A result finds its call by id,
// or by the function's name where the client keeps no ids; ids that come twice in a conversation, as models count them
// anew in every answer, are told apart. Thoughts that an earlier turn showed are left out; signatures go to the gemini
// kind only, which gave them.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/fault.h"

namespace tokenrelay::surface {

// An array of messages. `body` has its members' names in camelCase.
tl::expected<json::Value, Fault> read_gemini_turns(const json::Value& body, std::string_view upstream_kind);

}  // namespace tokenrelay::surface
