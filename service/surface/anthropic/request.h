// Parses a Messages request into the neutral format.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/begin.h"

namespace tokenrelay::surface {

struct AnthropicHeaders {
  std::string version, beta;  // "": not sent
};

struct AnthropicRequest : SurfaceRequest {
  FieldName field_name;  // gives the client's names
};

// `kind_of` returns the kind of upstream that serves a model.
tl::expected<AnthropicRequest, Error> parse_anthropic_request(
    std::string_view body, json::Limits limits, const AnthropicHeaders& headers,
    const std::function<std::string(const std::string& model)>& kind_of);

}  // namespace tokenrelay::surface
