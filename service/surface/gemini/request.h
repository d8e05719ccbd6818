// Translates a generateContent request into the neutral format.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/begin.h"

namespace tokenrelay::surface {

// `model` is the one in the path, `upstream_kind` the kind of its upstream. What only Google supports goes to `gemini`;
// for other kinds it is refused by the client's name. One candidate only.
// `raw` is the body that `given` was read from.
tl::expected<SurfaceRequest, Error> read_gemini_request(const json::Value& given, std::string_view raw,
                                                        const std::string& model, std::string_view upstream_kind);

// The client's name for a neutral field.
std::string gemini_field(const std::string& neutral_field);

}  // namespace tokenrelay::surface
