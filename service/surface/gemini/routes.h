// Gemini: POST /v1beta/models/{model}:streamGenerateContent and :generateContent, the same under /v1
// (CLIENTS.md, Gemini).
//
// A stream is server-sent events with `alt=sse`, else one JSON array, told piece by piece. A function call is told
// whole, when what follows it comes: the wire has no other way. One whose arguments are no JSON object in the end is
// not told, and the answer ends with MALFORMED_FUNCTION_CALL, as Google's own do.
#pragma once

#include "service/api/api.h"
#include "service/http/router.h"

namespace tokenrelay::surface {

void add_gemini_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
