// What the modes send.
#pragma once

#include <string>

#include "tests/bench/client.h"

namespace tokenrelay::bench {

std::string create_stream(bool as_events, bool coalesce = true);  // POST /v1/streams
std::string read_stream(const std::string& stream_id, const std::string& last_id = "", bool coalesce = true);
std::string chat_request();  // POST /v1/chat/completions, as an upstream or a proxy of one takes it

// Creates a stream over a connection of its own and returns its id; throws if it is refused.
std::string new_stream(Endpoint to);
std::string stream_id_in(const std::string& body);  // "" if there is none

}  // namespace tokenrelay::bench
