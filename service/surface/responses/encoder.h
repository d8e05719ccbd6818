// A stream as the events of Responses; the objects are in output.h.
#pragma once

#include <memory>
#include <string>

#include "service/surface/answer.h"
#include "service/surface/responses/output.h"

namespace tokenrelay::surface {

// response.created … response.completed.
std::unique_ptr<Encoder> make_responses_encoder(ResponseFacts facts);

}  // namespace tokenrelay::surface
