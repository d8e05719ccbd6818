// Writing server-sent events (WHATWG HTML 9.2.5): appends to a string; one `data:` line per event, LF, no BOM.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tokenrelay::http::sse {

// A comment line, not a block: it may be sent between any two events without ending one.
inline constexpr std::string_view heartbeat = ": hb\n";

// An event without an id. No field may hold LF, CR or NUL (asserted).
void append_event(std::string& out, std::string_view event_name, std::string_view json);

// How long a client waits before it reconnects; this dispatches no event.
void append_retry(std::string& out, int64_t retry_ms);

}  // namespace tokenrelay::http::sse
