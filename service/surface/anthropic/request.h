// A Messages request, in neutral words.
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
  FieldName field_name;  // to the client's own names
};

// `kind_of` tells the kind of the upstream that a model goes to.
tl::expected<AnthropicRequest, Error> parse_anthropic_request(
    std::string_view body, int max_depth, const AnthropicHeaders& headers,
    const std::function<std::string(const std::string& model)>& kind_of);

}  // namespace tokenrelay::surface
