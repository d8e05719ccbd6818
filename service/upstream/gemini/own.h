// What a client says in Gemini's own words (parameters.x_gemini), into a request's body.
#pragma once

#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

// gemini_request.h says how members are merged, and what is refused.
tl::expected<void, UnsupportedField> add_gemini_own(const json::Value& own, json::Value& body);

}  // namespace tokenrelay::upstream
