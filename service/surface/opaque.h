// What a provider wants given back untouched (upstream.h, on_opaque), in the words of the neutral request
// (upstream/prompt.h). It goes to the kind of upstream that it came from, and to no other.
#pragma once

#include <string>
#include <string_view>

#include "service/json/parse.h"

namespace tokenrelay::surface {

// As a part of an assistant's message; `thought` is the thinking that a signature signs. Null: another provider's, or
// what is not a part of its own (a thought signature stands on a text or a call).
json::Value opaque_part(const json::Value& opaque, std::string_view upstream_kind, const std::string& thought);

// A part's or a call's `extra_content`: Gemini's signature.
json::Value thought_signature(const std::string& data);

}  // namespace tokenrelay::surface
