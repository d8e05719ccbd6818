// What every surface does between reading a request and answering it: begin the stream (api/begin.h) with its own
// headers and error shapes, and wait until it is known whether the upstream takes it.
//
// Threads: the shard's loop. Errors are replies in the surface's own shape.
#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "service/api/begin.h"
#include "service/surface/dialect.h"
#include "service/surface/error.h"

namespace tokenrelay::surface {

struct SurfaceRequest : api::StreamRequest {
  bool stream = false;  // events, not one whole answer
};

// Turns "parameters.stop" into the client's own name for it.
using FieldName = std::function<std::string(const std::string& neutral_field)>;
std::string same_name(const std::string& neutral_field);  // without "parameters."

// Before the body is looked at: a length, JSON, sane headers.
std::optional<http::Reply> check_head(Dialect dialect, const http::Request& request);

// As the request's On-Disconnect header says, else as `wanted` does.
asio::awaitable<tl::expected<api::StartedStream, http::Reply>> begin(api::Api& api, const http::Request& request,
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
