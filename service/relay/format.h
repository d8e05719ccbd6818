// Format: how a reader's surface writes events. Native SSE is the one that streams keep encoded, once for all readers.
// A surface's own format may have a state; then it belongs to one reader and is given every event in order, from the
// first (deltas may come merged: the numbers in between are then the merged ones').
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "service/relay/event_id.h"
#include "storage/event.h"

namespace tokenrelay::relay {

class Format {
 public:
  virtual ~Format() = default;
  // Appends one event, whole. `runs` names its id.
  virtual void append(std::string& out, const std::vector<Run>& runs, Seq seq, storage::EventKind kind,
                      std::string_view payload) = 0;
  // What it keeps of the events it was given: their bytes, about.
  virtual size_t held_bytes() const { return 0; }
};

// WHATWG server-sent events: `id`, `event` (none for text), one `data` line, LF.
Format& sse_format();

}  // namespace tokenrelay::relay
