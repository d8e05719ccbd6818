// What a provider wants back unchanged, as a thoughtSignature, which clients send back: Gemini's own signature, or
// another provider's opaque event in base64, as Google's clients require.
#pragma once

#include <optional>
#include <string>

#include "service/json/parse.h"

namespace tokenrelay::surface {

// The signature for an opaque event; "" for an empty one.
std::string gemini_signature(const json::Value& opaque);

// A part for an opaque event: an empty text with the signature, marked as a thought if it is another provider's. "" for
// an empty event.
std::string gemini_signature_part(const json::Value& opaque);

// The opaque event in another provider's signature. nullopt: the signature is Gemini's own.
std::optional<json::Value> foreign_opaque_of(const std::string& signature);

}  // namespace tokenrelay::surface
