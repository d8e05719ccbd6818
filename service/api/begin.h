// What every POST that asks a model for an answer does, natively and on each surface: look at the head, find the stream
// that a Last-Event-ID or an idempotency key names, or create one. The callers read the body and word the errors.
//
// Threads: the shard's loop. Errors: values; nothing has been started when one is returned.
#pragma once

#include <asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "service/api/api.h"

namespace tokenrelay::api {

inline constexpr size_t max_model_bytes = 256;
inline constexpr size_t max_metadata_entries = 64;
inline constexpr int64_t max_cancel_after_ms = 24 * 3600 * 1000;

// A request for an answer, in neutral words (upstream/prompt.h).
struct StreamRequest {
  std::string model;                 // "": the configured default
  std::string messages, parameters;  // JSON array; JSON object, "" for none
  uint64_t prompt_bytes = 0;         // of the messages' text
  std::string metadata;              // JSON object of strings, "" for none
  std::string marks;                 // for the start event, e.g. `,"surface":"responses","background":true`
  relay::OnDisconnect on_disconnect;
};

struct StartedStream {
  std::shared_ptr<relay::Stream> stream;
  std::optional<relay::EventId> cursor;  // Last-Event-ID of a POST that was sent again
  bool existing = false;
};

// Why nothing was started.
struct BeginError {
  http::Code code;
  std::string field;  // by its neutral name, "parameters.stop"; "" where it is none in particular
  std::string message;
  std::optional<relay::Error> relay;  // what the relay said; code and message are of no use then
};
using Started = tl::expected<StartedStream, BeginError>;

// Before the body is read: a length, JSON, a sane idempotency key.
std::optional<BeginError> check_head(const http::Request& request);

// A POST that was sent again with the last event id that its client saw: the stream that the id names. It starts
// nothing.
asio::awaitable<Started> join(Api& api, const http::Request& request, relay::EventId cursor);

// A new stream, or the one that the idempotency key began.
asio::awaitable<Started> create(Api& api, const http::Request& request, StreamRequest what);

// The kind of the upstream that a model ("" is the default one) goes to; "" for a model that is unknown.
std::string provider_of(Api& api, const std::string& model);

}  // namespace tokenrelay::api
