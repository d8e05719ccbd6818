// A request of useChat, in neutral words.
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

// useChat sends whatever the page adds to the body, so members not known here are ignored; `model`, `system` (text) and
// `parameters` (an object, by the neutral request's names) are read.
// `provider_of` names the kind of upstream that a model goes to: what a provider wants back is told to that kind only.
using ProviderOf = std::function<std::string(const std::string& model)>;
tl::expected<UiRequest, Error> parse_ui_request(std::string_view body, int max_depth, const ProviderOf& provider_of);

// "parameters.stop" stays what it is here.
std::string ui_field(const std::string& neutral_field);

}  // namespace tokenrelay::surface
