// Errors in the shape of each surface's protocol, before a stream and inside one (CLIENTS.md, Every client: refusals
// and retries).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

#include "service/http/reply.h"
#include "service/http/request.h"
#include "service/relay/usage.h"
#include "service/surface/protocol.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::surface {

struct Error {
  int status = 500;
  std::string code;                       // the relay's: invalid_request, unknown_model, upstream_rate_limited …
  std::string message;                    // for people
  std::string param;                      // the field with the error, by the client's name; "" if there is none
  std::optional<int64_t> retry_after_ms;  // when to retry
  bool should_retry = false;              // nothing was started, and the same request may succeed later
  // What the provider said of the request, for clients of its protocol (upstream.h, Error).
  std::string own_kind = {}, own_body = {};
  int own_status = 0;
  std::shared_ptr<const upstream::AnswerHeaders> headers = nullptr;  // of its response; null: there was none
};

// The error as a whole reply, with the headers retry-after and x-should-retry if the protocol's clients know them.
http::Reply error_reply(Protocol protocol, const Error& given, std::string_view request_id);

// The JSON object alone, for a body or an event in a stream. `ui`: the part {"type":"error","errorText"}. `responses`:
// the flat error event without its sequence_number.
std::string error_json(Protocol protocol, const Error& error, std::string_view request_id);

Error invalid(std::string param, std::string message);  // 400
inline tl::unexpected<Error> refuse(std::string param, std::string message) {
  return tl::make_unexpected(invalid(std::move(param), std::move(message)));
}

// The error of a stream that failed or was interrupted, from its terminal event; `failure` is the upstream's error, if
// known.
Error error_of(const relay::StreamError& ended, const std::optional<upstream::Error>& failure);

// For http::ServerOptions. On a surface's paths, problem documents get the surface's shape, and answers its request id
// header.
void shape_error(const http::Request& request, http::Reply& reply);
void add_headers(const http::Request& request, http::HeaderList& headers);

}  // namespace tokenrelay::surface
