// Reads what the relay needs from the head of an upstream's response, line by line.
#pragma once

#include <string_view>

#include "service/client/http_client.h"

namespace tokenrelay::client {

// Takes one line of the head ("HTTP/1.1 200 OK", "Name: value", ""), with or without its line end. A status line begins
// a new head, as after a 1xx. True if the line ends a head that is not a 1xx.
bool take_head_line(HttpHead& head, std::string_view line, int64_t wall_ms);

}  // namespace tokenrelay::client
