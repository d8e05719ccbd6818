// item_reference: replaces references by the items of earlier responses.
#pragma once

#include <asio/awaitable.hpp>
#include <tl/expected.hpp>

#include "service/api/api.h"
#include "service/json/parse.h"

namespace tokenrelay::surface {

// Replaces every item_reference in the body's `input` by its item. Bounds: max_referenced_responses and
// max_referenced_bytes for a request. Returns the share of the whole reads for the longer body, which must be kept
// until the request has started; null if there was nothing to resolve. A reference to a provider's item stays: only
// that provider knows it.
asio::awaitable<tl::expected<api::WholeReads::SharePtr, http::Reply>> resolve_references(api::Api& api,
                                                                                         const http::Request& request,
                                                                                         json::Value& body);
inline constexpr size_t max_referenced_responses = 256, max_referenced_bytes = 8 << 20;

}  // namespace tokenrelay::surface
