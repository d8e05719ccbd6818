// How a handler that answers with something whole keeps to the budget of such reads: a share before it gathers, and the
// share with the reply, until the client has taken it.
#pragma once

#include <asio/awaitable.hpp>

#include "service/api/api.h"

namespace tokenrelay::api {

// What a read of `bytes` holds: them, gathered, and then their JSON, which takes their place and is seldom longer.
constexpr size_t gathered_twice(uint64_t bytes) {
  return static_cast<size_t>(2 * bytes);
}

// Waits its turn for a moment. Null: it did not come, and the answer is too_many_whole_reads().
asio::awaitable<WholeReads::SharePtr> share_for(Api& api, size_t bytes);
http::Reply too_many_whole_reads(const http::Request& request);

// The reply with its share, cut down to what the reply itself takes; or the refusal, where that is more than there is.
http::Reply held_reply(http::Reply reply, WholeReads::SharePtr share, const http::Request& request);

}  // namespace tokenrelay::api
