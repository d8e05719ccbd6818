// The two kinds of answer that a surface gives for a stream: its wire events as they happen, or one whole object at its
// end.
//
// Both are subscribers: they count for on_disconnect, and a client that leaves is noticed at once. Ownership: api's
// Readers own them. Threads: the shard's loop.
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
  Protocol protocol;
  std::string_view heartbeat;  // bytes that this protocol's clients ignore, sent after silence and never before
  http::HeaderList headers;    // added to those of every event stream; they replace those of the same name
  // How many copies of its stream's bytes a reader may hold at the end: those it has sent, and its last events, which
  // contain them again. 0: it holds at most the tool calls that are in progress.
  uint64_t copies = 0;
};

// The stream from its first event, or from the event after the cursor of a POST that was sent again.
asio::awaitable<http::Answer> stream_answer(api::Api& api, const http::Request& request, Profile profile,
                                            api::StartedStream started, std::unique_ptr<Encoder> encoder);

// The wire events with numbers above `number`, a protocol's own cursor; without it, all. A number greater than the last
// event's is a 400 that names `field`.
asio::awaitable<http::Answer> resume_answer(api::Api& api, const http::Request& request, Profile profile,
                                            std::shared_ptr<relay::Stream> stream, std::unique_ptr<Encoder> encoder,
                                            std::optional<uint64_t> number, std::string field);

// Waits for the stream's end and answers with what `render` returns. A failed stream becomes the surface's error,
// unless `render_failures`.
using Render = std::function<http::Reply(const relay::Stream& stream, const Transcript& transcript)>;
http::Answer whole_answer(api::Api& api, const http::Request& request, Protocol protocol,
                          std::shared_ptr<relay::Stream> stream, Render render, bool render_failures = false);

// Reads what is in a stream now. Null: the log cannot be read. The caller must hold a share of the budget for it.
asio::awaitable<std::shared_ptr<Transcript>> read_transcript(std::shared_ptr<relay::Stream> stream);

// The stream's id in a protocol's own form: strm_X is chatcmpl-X, resp_X, msg_X.
std::string id_with(std::string_view prefix, const relay::Stream& stream);
// And back: "" unless `id` has one of the prefixes (strm_ always counts).
std::string stream_id_of(std::string_view id, std::string_view prefix);

}  // namespace tokenrelay::surface
