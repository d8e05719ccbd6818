// Parses a Responses request into the neutral format.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/begin.h"

namespace tokenrelay::surface {

struct ResponsesRequest : SurfaceRequest {
  bool background = false;
};

// `upstream_kind` is the kind of upstream that answers: what only OpenAI's Responses support goes to that kind and is
// refused for others; reasoning goes back to the kind it came from. References must already be resolved. `raw` is the
// body as the client sent it, or "" where it is another by now: a reference was resolved.
tl::expected<ResponsesRequest, Error> read_responses_request(const json::Value& body, std::string_view raw,
                                                             std::string_view upstream_kind);

// The client's name for a neutral field: max_output_tokens for parameters.max_completion_tokens.
std::string responses_field(const std::string& neutral_field);

}  // namespace tokenrelay::surface
