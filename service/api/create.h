// POST /v1/streams, and the event stream that it shares with GET …/events.
#pragma once

#include <asio/awaitable.hpp>
#include <memory>

#include "service/api/api.h"
#include "service/api/sse_reader.h"

namespace tokenrelay::api {

asio::awaitable<http::Answer> create_stream(Api& api, const http::Request& request);

// Takes over the connection and sends the stream's events.
http::Answer read_stream(Api& api, std::shared_ptr<relay::Stream> stream, relay::StartAt start, bool coalesce,
                         http::HeaderList headers);

}  // namespace tokenrelay::api
