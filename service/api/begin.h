// What every POST that asks a model for an answer does, natively and on each surface: check the head, find the stream
// that a Last-Event-ID or an idempotency key names, or create one. The callers parse the body and write the error
// reply.
//
// Threads: the shard's loop. Errors: values; when one is returned, nothing has been started.
#pragma once

#include <asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "service/api/api.h"

namespace tokenrelay::api {

inline constexpr size_t max_model_bytes = 256;
// OpenAI's limits.
inline constexpr size_t max_metadata_entries = 16, max_metadata_name = 64, max_metadata_value = 512;  // characters
inline constexpr int64_t max_cancel_after_ms = 24 * 3600 * 1000;

// A request for an answer, in the neutral format (upstream/prompt.h).
struct StreamRequest {
  std::string model;                 // "": the configured default
  std::string messages, parameters;  // JSON array; JSON object, "" without parameters
  // The kind of provider whose protocol the client speaks, if the body may go up to it as it is; "" if it may not.
  std::string own_kind;
  // Why there are no messages: the neutral format has no words for this request (upstream.h).
  std::optional<upstream::UnsupportedField> untranslated;
  uint64_t prompt_bytes = 0;  // of the messages' text
  std::string metadata;       // JSON object of strings, "" without metadata
  std::string marks;          // for the start event, e.g. `,"surface":"responses","background":true`
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
  std::string field;  // by its neutral name, "parameters.stop"; "" if the error is not about one field
  std::string message;
  std::optional<relay::Error> relay;  // if set, it replaces code and message
};
using Started = tl::expected<StartedStream, BeginError>;

// Checks, before the body is read: a length, a JSON content type, a valid idempotency key.
std::optional<BeginError> check_head(const http::Request& request);

// For a POST that was sent again with the last event id that its client saw: the stream that the id names. It starts
// nothing.
asio::awaitable<Started> join(Api& api, const http::Request& request, relay::EventId cursor);

// A new stream, or the one that was started with the same idempotency key.
asio::awaitable<Started> create(Api& api, const http::Request& request, StreamRequest from);

// The kind of upstream that serves a model ("" is the default model); "" for an unknown model.
std::string provider_of(const relay::ModelTable& models, const std::string& model);

}  // namespace tokenrelay::api
