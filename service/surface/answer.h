// The two kinds of answer a surface gives for a stream: its wire events as they come, or one whole object at its end.
//
// Both are subscribers: they count for on_disconnect, and a client that leaves is noticed at once. Ownership: api's
// Readers. Threads: the shard's loop.
#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <string_view>

#include "service/api/api.h"
#include "service/surface/begin.h"
#include "service/surface/encoder.h"
#include "service/surface/transcript.h"

namespace tokenrelay::surface {

// How a surface streams (CLIENTS.md, Every client).
struct Profile {
  Dialect dialect;
  std::string_view heartbeat;  // bytes that say "alive" to this protocol's clients
  http::HeaderList headers;    // more than those of every event stream, or instead of them
  // A reader may come to hold its stream's bytes so many times over: those it was told, and its last events, which say
  // them again. 0: it holds no more than calls that are being told.
  uint64_t copies = 0;
};

// The stream from its first event, or from after the cursor of a POST that was sent again.
asio::awaitable<http::Answer> stream_answer(api::Api& api, const http::Request& request, Profile profile,
                                            api::StartedStream started, std::unique_ptr<Encoder> encoder);

// The wire events numbered above `number`: a protocol's own cursor; all of them without one. One beyond what there is
// is the surface's 400, which says so of `field`.
asio::awaitable<http::Answer> resume_answer(api::Api& api, const http::Request& request, Profile profile,
                                            std::shared_ptr<relay::Stream> stream, std::unique_ptr<Encoder> encoder,
                                            std::optional<uint64_t> number, std::string field);

// Waits for the end and answers what `render` makes of it. A failed stream is the surface's error, unless
// `render_failures`.
using Render = std::function<http::Reply(const relay::Stream& stream, const Transcript& transcript)>;
http::Answer whole_answer(api::Api& api, const http::Request& request, Dialect dialect,
                          std::shared_ptr<relay::Stream> stream, Render render, bool render_failures = false);

// What a stream holds now, read back. Null: the log cannot be read. The caller has a share of the budget for it.
asio::awaitable<std::shared_ptr<Transcript>> read_transcript(std::shared_ptr<relay::Stream> stream);

// The stream's id in a protocol's own form: strm_X is chatcmpl-X, resp_X, msg_X.
std::string id_with(std::string_view prefix, const relay::Stream& stream);
// And back: "" unless `id` has one of the prefixes (strm_ always counts).
std::string stream_id_of(std::string_view id, std::string_view prefix);

}  // namespace tokenrelay::surface
