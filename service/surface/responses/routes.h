// OpenAI Responses (CLIENTS.md, Responses): POST /v1/responses (streamed, whole, in the background), retrieve,
// resume by `starting_after`, cancel, delete.
//
// resp_X is the stream strm_X, on whichever surface it was created. Every response is stored, whatever `store` says,
// because clients read answers from the log. The relay drops a request when its response ends, so previous_response_id
// is not supported; item_reference is, because items are in the log.
#pragma once

#include "service/api/api.h"
#include "service/http/router.h"

namespace tokenrelay::surface {

void add_responses_routes(http::Router& router, api::Api& api);

}  // namespace tokenrelay::surface
