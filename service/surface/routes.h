// Every surface's routes (PROTOCOL.md, Drop-in surfaces).
#pragma once

#include "service/api/api.h"
#include "service/http/router.h"

namespace tokenrelay::surface {

void add_surface_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
