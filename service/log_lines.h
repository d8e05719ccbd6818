// The forms of the log's lines: text, or one JSON object a line.
//
// Text: "2026-11-21T06:00:00.123Z info MESSAGE". JSON: {"time":…,"level":…,"message":…}; a request's line has its
// fields instead of a message. JSON is always valid and on one line, whatever a message contains; a message is cut at 8
// KiB.
#pragma once

#include <spdlog/formatter.h>

#include <memory>
#include <string>
#include <string_view>

#include "service/http/server.h"

namespace tokenrelay {

std::unique_ptr<spdlog::formatter> line_formatter(bool json);

// Through the default logger, as spdlog's other lines.
void log_request(const http::RequestRecord& record, bool json);

// A line that the log's own thread writes.
std::string dropped_line(uint64_t lines, bool json);

}  // namespace tokenrelay
