// GET /v1/streams/{id}, GET /v1/streams, and DELETE /v1/streams/{id}.
#pragma once

#include <asio/awaitable.hpp>

#include "service/api/api.h"

namespace tokenrelay::api {

asio::awaitable<http::Answer> read_state(Api& api, const http::Request& request);
asio::awaitable<http::Answer> list_streams(Api& api, const http::Request& request);
asio::awaitable<http::Answer> remove_stream(Api& api, const http::Request& request);

}  // namespace tokenrelay::api
