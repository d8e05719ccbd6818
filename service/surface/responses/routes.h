// OpenAI Responses (CLIENTS.md, Responses): POST /v1/responses (streamed, whole, in the background), retrieve,
// resume by `starting_after`, cancel, delete.
//
// resp_X is the stream strm_X, whatever surface it was made on. Every response is kept, `store` or not: the log is what
// answers are read from. A response is no conversation: the relay drops its request when it ends, so
// previous_response_id cannot be carried over; item_reference can, because items are in the log.
#pragma once

#include "service/api/api.h"
#include "service/http/router.h"

namespace tokenrelay::surface {

void add_responses_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
