// What the relay wants to know of the head of an upstream's response, line by line.
#pragma once

#include <string_view>

#include "service/client/http_client.h"

namespace tokenrelay::client {

// Takes one line of the head ("HTTP/1.1 200 OK", "Name: value", ""), with or without its line end. A status line starts
// anew (after a 1xx). True when the line ends a final head.
bool take_head_line(HttpHead& head, std::string_view line, int64_t wall_ms);

}  // namespace tokenrelay::client
