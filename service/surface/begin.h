// What every surface does between reading a request and answering it: find the model, see that its upstream can carry
// the request over, create the stream (or find the one that an idempotency key or a re-sent POST's Last-Event-ID
// names), and wait until it is known whether the upstream takes it.
//
// Threads: the shard's loop. Errors are replies in the surface's own shape.
#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "service/api/api.h"
#include "service/surface/dialect.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

// A surface's request, in neutral words (upstream/prompt.h).
struct SurfaceRequest {
  std::string model;  // "": the configured default
  std::string messages, parameters;
  uint64_t prompt_bytes = 0;
  std::string metadata;  // JSON object of strings, "" for none
  std::string marks;     // for the start event, e.g. `,"surface":"responses","background":true`
  bool stream = false;
  relay::OnDisconnect on_disconnect;  // unless the request's On-Disconnect header says otherwise
};

// Turns "parameters.stop" into the client's own name for it.
using FieldName = std::function<std::string(const std::string& neutral_field)>;
std::string same_name(const std::string& neutral_field);  // without "parameters."

struct StartedStream {
  std::shared_ptr<relay::Stream> stream;
  std::optional<relay::EventId> cursor;  // Last-Event-ID of a POST that was sent again
  bool existing = false;
};

// Before the body is looked at: a length, JSON, sane headers.
std::optional<http::Reply> check_head(Dialect dialect, const http::Request& request);

// The kind of the upstream that a model goes to ("" is the default one), for what only its own dialect is told.
std::string provider_of(api::Api& api, const std::string& model);

asio::awaitable<tl::expected<StartedStream, http::Reply>> begin(api::Api& api, const http::Request& request,
                                                                Dialect dialect, SurfaceRequest asked,
                                                                FieldName field_name = same_name);

// Waits until the upstream has taken the request or refused it; a while at most. The refusal, if nothing was said yet.
asio::awaitable<std::optional<http::Reply>> refusal_of(const http::Request& request, Dialect dialect,
                                                       const std::shared_ptr<relay::Stream>& stream);

// Finds a stream that the principal may see.
asio::awaitable<tl::expected<std::shared_ptr<relay::Stream>, http::Reply>> find_stream(api::Api& api,
                                                                                       const http::Request& request,
                                                                                       Dialect dialect, std::string id);

// Where clients have no other way to stop: as configured, `cancel` by default.
relay::OnDisconnect default_on_disconnect(api::Api& api);

}  // namespace tokenrelay::surface
