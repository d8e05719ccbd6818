// A stream as the events of Responses; the objects are in output.h.
#pragma once

#include <memory>
#include <string>

#include "service/surface/answer.h"
#include "service/surface/responses/output.h"

namespace tokenrelay::surface {

// response.created … response.completed. The last events repeat the texts of the first: with `excerpts` the encoder
// does not hold those, and puts marks in their place (Format::take_excerpts).
std::unique_ptr<Encoder> make_responses_encoder(ResponseFacts facts, std::shared_ptr<relay::Excerpts> excerpts = {});

}  // namespace tokenrelay::surface
