// What a provider wants back untouched, as a thoughtSignature: Gemini's own as it is, another's with its provider
// inside, in base64 as Google's clients demand, so that a client that gives signatures back gives these back too.
#pragma once

#include <optional>
#include <string>

#include "service/json/parse.h"

namespace tokenrelay::surface {

// Of an opaque event; "": there is nothing to give back.
std::string gemini_signature(const json::Value& opaque);

// A whole part for it: on an empty text, and of a thought where it is another provider's. "": none.
std::string gemini_signature_part(const json::Value& opaque);

// What another provider's signature holds: its opaque event. nullopt: the signature is Gemini's own.
std::optional<json::Value> foreign_opaque_of(const std::string& signature);

}  // namespace tokenrelay::surface
