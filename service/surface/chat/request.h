// A Chat Completions request, in neutral words.
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

// Everything but what the relay needs itself goes into `parameters` as it came: the upstream's dialect translates or
// refuses it. n = 1 only.
tl::expected<ChatRequest, Error> parse_chat_request(std::string_view body, int max_depth);

}  // namespace tokenrelay::surface
