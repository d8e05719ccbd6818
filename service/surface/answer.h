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
// Of a failed stream with own events it may return a reply with status 0: the provider has not ended this answer.
// It may be called on a worker. Long texts of the transcript are marks (relay/excerpts.h); it may put them into JSON
// strings and do nothing else with them.
using Render = std::function<http::Reply(const relay::Stream& stream, const Transcript& transcript)>;
struct WholeAnswer {
  Render render;
  bool render_failures = false;
  bool keeps_arguments = false;    // `render` parses the arguments of tool calls, so those are no marks
  std::string_view own_kind = {};  // the transcript has the own events of a provider of this kind
  bool (*keeps_own)(std::string_view json) = nullptr;  // Transcript::keeps_own
};
http::Answer whole_answer(api::Api& api, const http::Request& request, Protocol protocol,
                          std::shared_ptr<relay::Stream> stream, WholeAnswer how);

// What is in a stream now, for an answer to this request. `transcript.excerpts` and `share` must be set; the share
// grows with what is held. Or the refusal: the log cannot be read, or the share may not grow.
asio::awaitable<std::optional<http::Reply>> read_transcript(const http::Request& request,
                                                            std::shared_ptr<relay::Stream> stream,
                                                            std::shared_ptr<Transcript> transcript,
                                                            api::WholeReads::SharePtr share);

// The stream's id in a protocol's own form: strm_X is chatcmpl-X, resp_X, msg_X.
std::string id_with(std::string_view prefix, const relay::Stream& stream);
// And back: "" unless `id` has one of the prefixes (strm_ always counts).
std::string stream_id_of(std::string_view id, std::string_view prefix);

}  // namespace tokenrelay::surface
