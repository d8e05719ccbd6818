// The parts of a request that several routes read.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/http/reply.h"
#include "service/relay/event_id.h"

namespace tokenrelay::api {

// The cursor: the Last-Event-ID header, else the query's last_event_id (EventSource repeats the URL when it reconnects,
// so the header wins). Empty counts as none. The error is the `detail` of a 400.
tl::expected<std::optional<relay::EventId>, std::string> read_cursor(const http::Request& request);

// `?coalesce=0` replays the events unmerged; 1 is the default. The error is the `detail` of a 400.
tl::expected<bool, std::string> read_coalesce(const http::Request& request);

// Why the headers do not announce plain JSON in UTF-8, for a 415; nullopt: they do.
std::optional<std::string> not_json(const http::Request& request);

std::string sha256(std::string_view bytes);

}  // namespace tokenrelay::api
