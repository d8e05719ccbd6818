// A page's messages as neutral ones.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// UIMessages as the neutral request's (upstream/prompt.h). Left out: what is only shown (data-*, source-*), reasoning
// that this kind of upstream did not sign, and a tool call whose input was never finished. A call that nobody answered
// is told as answered with that fact, because no provider takes a call without a result.
tl::expected<json::Value, Error> read_ui_messages(const json::Value& messages, std::string_view upstream_kind);

}  // namespace tokenrelay::surface
