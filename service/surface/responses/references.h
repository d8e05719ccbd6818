// item_reference: items of earlier responses, put in their place.
#pragma once

#include <asio/awaitable.hpp>
#include <tl/expected.hpp>

#include "service/api/api.h"
#include "service/json/parse.h"

namespace tokenrelay::surface {

// Puts what was said in the place of every item_reference in the body's `input`. Bounds: max_referenced_responses and
// max_referenced_bytes a request. What comes back is the share of the whole reads that the longer body has: to be kept
// until the request has started.
asio::awaitable<tl::expected<api::WholeReads::SharePtr, http::Reply>> resolve_references(api::Api& api,
                                                                                         const http::Request& request,
                                                                                         json::Value& body);
inline constexpr size_t max_referenced_responses = 256, max_referenced_bytes = 8 << 20;

}  // namespace tokenrelay::surface
