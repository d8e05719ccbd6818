// Anthropic Messages: POST /v1/messages, stream and not (CLIENTS.md, Messages).
//
// What only Anthropic's own models support (members of the request without a neutral name, tools that run at the
// provider, cache_control, the version and beta headers) goes unchanged to upstreams of that kind. For other kinds,
// headers and cache_control, which do not change the answer, are left out; the rest is refused by name.
#pragma once

#include "service/api/api.h"
#include "service/http/router.h"

namespace tokenrelay::surface {

void add_anthropic_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
