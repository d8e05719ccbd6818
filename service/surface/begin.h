// What every surface does between reading a request and answering it: begin the stream (api/begin.h) with the surface's
// headers and error shapes, and wait until the upstream has accepted or refused the request.
//
// Threads: the shard's loop. Errors are replies in the surface's shape.
#pragma once

#include <asio/awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "service/api/begin.h"
#include "service/surface/error.h"
#include "service/surface/protocol.h"

namespace tokenrelay::surface {

struct SurfaceRequest : api::StreamRequest {
  bool stream = false;  // answer with events, not with one whole object
};

// Turns a neutral name ("parameters.stop") into the client's name for the field.
using FieldName = std::function<std::string(const std::string& neutral_field)>;
std::string same_name(const std::string& neutral_field);  // without "parameters."

// Checks the head before the body is read: a length, a JSON content type, valid headers.
std::optional<http::Reply> check_head(Protocol protocol, const http::Request& request);

// Begins the stream, or joins the one that runs if an SDK repeats its request. The request's On-Disconnect header, if
// it is there, replaces `asked.on_disconnect`.
asio::awaitable<tl::expected<api::StartedStream, http::Reply>> begin(api::Api& api, const http::Request& request,
                                                                     Protocol protocol, SurfaceRequest wanted,
                                                                     FieldName field_name = same_name);

// Waits, for a limited time, until the upstream has accepted or refused the request. Returns the refusal, if the stream
// failed before it had any content.
asio::awaitable<std::optional<http::Reply>> refusal_of(const http::Request& request, Protocol protocol,
                                                       const std::shared_ptr<relay::Stream>& stream);

// Finds a stream that the principal may see.
asio::awaitable<tl::expected<std::shared_ptr<relay::Stream>, http::Reply>> find_stream(api::Api& api,
                                                                                       const http::Request& request,
                                                                                       Protocol protocol,
                                                                                       std::string id);

// What happens to a surface's answer when its client leaves, as configured. Where closing the connection is the only
// way to stop an answer, it stops; where clients come back, it goes on (CLIENTS.md, Every client: leaving).
relay::OnDisconnect default_on_disconnect(const api::Api& api, Protocol protocol);

}  // namespace tokenrelay::surface
