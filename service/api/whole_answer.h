// For handlers that answer with something whole: they take a share of the budget before they gather, and pass it on
// with the reply, until the client has taken that.
#pragma once

#include <asio/awaitable.hpp>

#include "service/api/api.h"

namespace tokenrelay::api {

// What a read of `bytes` holds: the gathered bytes, and their JSON, which replaces them and is seldom longer.
constexpr size_t gathered_twice(uint64_t bytes) {
  return static_cast<size_t>(2 * bytes);
}

// Waits briefly for a share. Null: there was none in time, and the answer is too_many_whole_reads().
asio::awaitable<WholeReads::SharePtr> share_for(Api& api, size_t bytes);
http::Reply too_many_whole_reads(const http::Request& request);

// The reply with its share, shrunk to the size of the reply; or the refusal, if the budget has no room for that size.
http::Reply held_reply(http::Reply reply, WholeReads::SharePtr share, const http::Request& request);

}  // namespace tokenrelay::api
