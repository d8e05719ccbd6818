// Names drawn at random: unguessable, URL-safe.
#pragma once

#include <string>

#include "service/relay/context.h"

namespace tokenrelay::relay {

std::string draw_stream_id(const Random& random);   // strm_ and 26 characters of [a-z2-7]: 130 bits
std::string draw_request_id(const Random& random);  // req_ and 20 characters

}  // namespace tokenrelay::relay
