// A page's messages in the neutral format.
#pragma once

#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// UIMessages as neutral messages (upstream/prompt.h). Left out: what is only shown (data-*, source-*), reasoning that
// this kind of upstream did not sign, and tool calls with incomplete input. A call without a result gets one that says
// so, because providers refuse a call without a result.
tl::expected<json::Value, Error> read_ui_messages(const json::Value& messages, std::string_view upstream_kind);

}  // namespace tokenrelay::surface
