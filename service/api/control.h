// Commands over HTTP: POST /v1/streams/{id}/cancel and …/steer.
#pragma once

#include <asio/awaitable.hpp>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/api/api.h"
#include "service/json/parse.h"
#include "service/relay/commands.h"

namespace tokenrelay::api {

asio::awaitable<http::Answer> cancel_stream(Api& api, const http::Request& request);
asio::awaitable<http::Answer> steer_stream(Api& api, const http::Request& request);

// The code and detail of a refused command: over HTTP, in a WebSocket's error, in the metrics.
http::Code code_of(relay::Refusal refusal);
std::string detail_of(relay::Refusal refusal);

// The terminal event's usage, JSON; null while the stream runs.
json::Value usage_of(const relay::Stream& stream);

}  // namespace tokenrelay::api
