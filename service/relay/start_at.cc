#include "service/relay/start_at.h"

#include "service/relay/stream.h"

namespace tokenrelay::relay {

StartAt start_at(const Stream& stream, const std::optional<EventId>& cursor, AtEnd at_end) {
  StartAt start;
  if (cursor) {
    start.verdict = judge(stream.runs(), stream.durable(), *cursor);
    if (start.verdict == Verdict::exact) start.after = cursor->seq;
  }
  start.has_all = stream.ended() && start.after == stream.durable();
  if (start.has_all && at_end == AtEnd::end_again) {
    --start.after;
    start.has_all = false;
  }
  return start;
}

}  // namespace tokenrelay::relay
