// Format: how a reader's surface encodes events. Native SSE is kept encoded by the stream, once for all readers.
// A surface's format may have state; then it belongs to one reader and gets every event in order, from the first.
// (Deltas may be merged; the sequence numbers then skip those merged into a later one.)
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/relay/event_id.h"
#include "storage/event.h"

namespace tokenrelay::relay {

class Excerpts;

class Format {
 public:
  virtual ~Format() = default;
  // Appends one event, whole. `runs` names its id.
  virtual void append(std::string& out, const std::vector<Run>& runs, Seq seq, storage::EventKind kind,
                      std::string_view payload) = 0;
  // Whether neighbouring deltas may become one for a reader that is behind; may change with each event.
  virtual bool merges() const { return true; }
  // About how many bytes it keeps of the events it was given.
  virtual size_t held_bytes() const { return 0; }
  // Not null: what was appended since the last call has marks, whose texts are to be read from the log (pieces.h).
  virtual std::shared_ptr<const Excerpts> take_excerpts() { return nullptr; }
};

// WHATWG server-sent events: `id`, `event` (none for text), one `data` line, LF.
Format& sse_format();

}  // namespace tokenrelay::relay
