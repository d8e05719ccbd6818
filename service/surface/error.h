// Errors in the shape of each surface's own protocol (CLIENTS.md, Every client: refusals and retries), before a
// stream and inside one.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "service/http/reply.h"
#include "service/http/request.h"
#include "service/relay/usage.h"
#include "service/surface/dialect.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::surface {

struct Error {
  int status = 500;
  std::string code;                       // the relay's: invalid_request, unknown_model, upstream_rate_limited …
  std::string message;                    // for people
  std::string param;                      // the field it is about, by the client's name; "" for none
  std::optional<int64_t> retry_after_ms;  // when to come back
  bool should_retry = false;              // the same request may work later and nothing was started
};

// A whole answer. Its headers carry retry-after and x-should-retry where the protocol's clients know them.
http::Reply error_reply(Dialect dialect, const Error& fault, std::string_view request_id);

// The JSON object alone, as it stands in a body or in a stream's event. `ui`: the part {"type":"error","errorText"}.
// `responses`: the flat error event without its sequence_number.
std::string error_json(Dialect dialect, const Error& fault, std::string_view request_id);

Error invalid(std::string param, std::string message);  // 400
inline tl::unexpected<Error> refuse(std::string param, std::string message) {
  return tl::make_unexpected(invalid(std::move(param), std::move(message)));
}

// A stream that failed or was interrupted, as its terminal event tells; `failure` is what the upstream said, if known.
Error error_of(const relay::StreamError& error, const std::optional<upstream::Error>& failure);

// For http::ServerOptions: problems on a surface's paths take its shape; answers carry its request id header.
void shape_error(const http::Request& request, http::Reply& reply);
void add_headers(const http::Request& request, http::HeaderList& headers);

}  // namespace tokenrelay::surface
