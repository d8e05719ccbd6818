// A Responses request, in neutral words.
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

// `upstream_kind` is the kind of upstream that answers: what only OpenAI's Responses know is carried to that kind and
// refused elsewhere; reasoning goes back to the kind it came from. References are resolved already.
tl::expected<ResponsesRequest, Error> read_responses_request(const json::Value& body, std::string_view upstream_kind);

// The client's name for a neutral field: parameters.max_completion_tokens is max_output_tokens.
std::string responses_field(const std::string& neutral_field);

}  // namespace tokenrelay::surface
