// Parses a request of useChat into the neutral format.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/begin.h"

namespace tokenrelay::surface {

struct UiRequest : SurfaceRequest {
  std::string chat;  // "": the answer cannot be resumed or stopped by chat
};

// useChat sends whatever the page adds to the body, so unknown members are ignored; `model`, `system` (text) and
// `parameters` (an object, with the neutral names) are read.
// `provider_of` returns the kind of upstream that serves a model: what a provider wants back goes to that kind only.
using ProviderOf = std::function<std::string(const std::string& model)>;
tl::expected<UiRequest, Error> parse_ui_request(std::string_view text, json::Limits limits,
                                                const ProviderOf& provider_of);

// The neutral names are this surface's, too: "parameters.stop".
std::string ui_field(const std::string& neutral_field);

}  // namespace tokenrelay::surface
