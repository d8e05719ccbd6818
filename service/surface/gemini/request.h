// A generateContent request, in neutral words.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/begin.h"

namespace tokenrelay::surface {

// `model` is the path's, `upstream_kind` that of its upstream: only `gemini` is told what only Google knows; for others
// it is refused by the client's own name. One candidate only.
tl::expected<SurfaceRequest, Error> read_gemini_request(const json::Value& body, const std::string& model,
                                                        std::string_view upstream_kind);

// The client's own name for a neutral field.
std::string gemini_field(const std::string& neutral_field);

}  // namespace tokenrelay::surface
