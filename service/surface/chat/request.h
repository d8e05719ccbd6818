// Parses a Chat Completions request into the neutral format.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/begin.h"

namespace tokenrelay::surface {

struct ChatRequest : SurfaceRequest {
  bool include_usage = false;  // stream_options.include_usage
};

// Everything that the relay does not need itself goes into `parameters` unchanged: the upstream's dialect translates or
// refuses it. `n` must be 1. `kind_of` returns the kind of upstream that serves a model.
tl::expected<ChatRequest, Error> parse_chat_request(
    std::string_view body, json::Limits limits, const std::function<std::string(const std::string& model)>& kind_of);

}  // namespace tokenrelay::surface
