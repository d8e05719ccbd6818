// Adds what a client gives in Gemini's own format (parameters.x_gemini) to a request's body.
#pragma once

#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// request.h says how members are merged, and what is refused.
tl::expected<void, UnsupportedField> add_gemini_own(const json::Value& own, json::Value& body);

}  // namespace tokenrelay::upstream
