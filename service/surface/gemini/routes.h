// Gemini: POST /v1beta/models/{model}:streamGenerateContent and :generateContent, the same under /v1
// (CLIENTS.md, Gemini).
//
// A stream is server-sent events with `alt=sse`, else one JSON array, sent element by element. A function call is sent
// whole, once something follows its last piece, or at the end: the protocol has no other way. A call whose arguments
// are not a JSON object in the end is left out, and the answer ends with MALFORMED_FUNCTION_CALL, as Google's own do.
#pragma once

#include "service/api/api.h"
#include "service/http/router.h"

namespace tokenrelay::surface {

void add_gemini_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
