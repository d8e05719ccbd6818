// What a chunk of the Chat dialect says, read before it is told, for a client of the same protocol (own_recorder.h).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/upstream/own_event.h"

namespace tokenrelay::upstream {

struct ChatOwnDelta {
  // The one string that the chunk adds to the answer, between its quotes in the payload; "" if it adds none, or more,
  // or something else.
  std::string_view said;
  OwnEvent::Voice voice = OwnEvent::Voice::text;
  std::optional<int64_t> call;  // of arguments: the call's index, as the upstream counts
  bool shows = false;           // something of the answer is in it
};
ChatOwnDelta read_own_delta(std::string_view payload, std::string& scratch);

}  // namespace tokenrelay::upstream
