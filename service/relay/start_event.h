// What a stream begins with: its start event, and the request, which is kept until the stream ends.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "service/upstream/upstream.h"

namespace tokenrelay::relay {

std::string rfc3339(int64_t wall_ms);  // 2026-11-21T06:00:00.123Z

// {"model":"demo","provider":"demo","created_at":"2026-11-21T06:00:00.123Z"}, with `marks` (`,"surface":"chat"`) at its
// end: what a surface must know about the request when the stream is read later.
std::string start_payload(std::string_view model, std::string_view provider, int64_t created_ms,
                          std::string_view marks = {});

// JSON {"model","messages","parameters"}: what it takes to call the upstream again.
std::string stored_request(const upstream::ModelRequest& request);

}  // namespace tokenrelay::relay
