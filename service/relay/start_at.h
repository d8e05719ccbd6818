// StartAt: where a reader with a cursor begins. One rule for every route: events, a POST that is sent again, the
// WebSocket, the surfaces.
#pragma once

#include <optional>

#include "service/relay/event_id.h"

namespace tokenrelay::relay {

class Stream;

struct StartAt {
  Seq after = 0;  // 0: from the first event
  Verdict verdict = Verdict::start;
  bool has_all = false;  // the stream has ended, and the cursor is at its terminal event
};

// What a reader gets whose cursor is at the terminal event. `nothing`: it has all. `end_again`: the terminal event once
// more, for clients that send their POST again until they see one.
enum class AtEnd { nothing, end_again };

StartAt start_at(const Stream& stream, const std::optional<EventId>& cursor, AtEnd at_end);

}  // namespace tokenrelay::relay
