// OpenAI Responses (CLIENTS.md, Responses): POST /v1/responses (streamed, whole, in the background), retrieve,
// resume by `starting_after`, cancel, delete.
//
// resp_X is the stream strm_X, whatever surface it was made on. Every response is kept, `store` or not: the log is what
// answers are read from. A response is no conversation: the relay drops its request when it ends, so
// previous_response_id cannot be carried over; item_reference can, because items are in the log.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/http/router.h"
#include "service/surface/answer.h"
#include "service/surface/responses/output.h"

namespace tokenrelay::surface {

void add_responses_routes(http::Router& router, api::Api& api);

struct ResponsesRequest : SurfaceRequest {
  bool background = false;
};

// `upstream_kind` is the kind of upstream that answers: what only OpenAI's Responses know is carried to that kind and
// refused elsewhere; reasoning goes back to the kind it came from. References are resolved already.
tl::expected<ResponsesRequest, Error> read_responses_request(const json::Value& body, std::string_view upstream_kind);

// The client's name for a neutral field: parameters.max_completion_tokens is max_output_tokens.
std::string responses_field(const std::string& neutral_field);

// Puts what was said in the place of every item_reference in the body's `input`. Bounds: max_referenced_responses and
// max_referenced_bytes a request. What comes back is the share of the whole reads that the longer body has: to be kept
// until the request has started.
asio::awaitable<tl::expected<api::WholeReads::SharePtr, http::Reply>> resolve_references(api::Api& api,
                                                                                         const http::Request& request,
                                                                                         json::Value& body);
inline constexpr size_t max_referenced_responses = 256, max_referenced_bytes = 8 << 20;

// response.created … response.completed.
std::unique_ptr<Encoder> make_responses_encoder(ResponseFacts facts);

}  // namespace tokenrelay::surface
