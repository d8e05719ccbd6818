// A stream as GenerateContentResponses: events, an array, and one whole object.
#pragma once

#include <memory>
#include <string>

#include "service/surface/answer.h"

namespace tokenrelay::surface {

// What every response contains besides its content.
struct GeminiFacts {
  std::string id, model;
};
GeminiFacts gemini_facts(const relay::Stream& stream);

// GenerateContentResponse chunks, as events or as the elements of an array.
std::unique_ptr<Encoder> make_gemini_encoder(const GeminiFacts& facts, bool as_array);

// One GenerateContentResponse.
std::string gemini_response(const GeminiFacts& facts, const Transcript& transcript);

}  // namespace tokenrelay::surface
