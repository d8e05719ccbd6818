// Anthropic Messages: POST /v1/messages, stream and not (CLIENTS.md, Messages).
//
// What only Anthropic's own models know (members of the request that have no neutral name, tools that run at the
// provider, cache marks, the version and beta headers) goes to upstreams of that kind as it came. Others are not told
// of headers and cache marks, which change no answer; of the rest they refuse by name.
#pragma once

#include "service/api/api.h"
#include "service/http/router.h"

namespace tokenrelay::surface {

void add_anthropic_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
