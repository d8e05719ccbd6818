// For handlers that answer with something whole. Long texts stay in the log and go out piece by piece (relay/pieces.h);
// what is held beside them has a share of the budget, which is passed on with the reply until the client has taken
// that.
#pragma once

#include <asio/awaitable.hpp>

#include "service/api/api.h"
#include "service/relay/excerpts.h"

namespace tokenrelay::api {

// What a read of `bytes` holds: the gathered bytes, and their JSON, which replaces them and is seldom longer.
constexpr size_t gathered_twice(uint64_t bytes) {
  return static_cast<size_t>(2 * bytes);
}

// Waits briefly for a share. Null: there was none in time, and the answer is too_many_whole_reads().
asio::awaitable<WholeReads::SharePtr> share_for(Api& api, size_t bytes);
http::Reply too_many_whole_reads(const http::Request& request);

// How many bytes of texts an answer holds before the long ones stay in the log: as much as a reader of events may hold.
constexpr size_t held_text_bytes = WholeReads::free_bytes / 4;

// The reply with its share, shrunk to the size of the reply; or the refusal, if the budget has no room for that size.
http::Reply held_reply(http::Reply reply, WholeReads::SharePtr share, const http::Request& request);

// The same for a reply whose body may have marks of `excerpts`: with marks, it is sent while it is read. A log that
// cannot be read cuts it.
http::Answer pieces_reply(Api& api, http::Reply reply, std::shared_ptr<relay::Stream> stream,
                          std::shared_ptr<const relay::Excerpts> excerpts, WholeReads::SharePtr share,
                          const http::Request& request);

}  // namespace tokenrelay::api
