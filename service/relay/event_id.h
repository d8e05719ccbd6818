// Event ids and cursors: `<run>-<seq>`, e.g. q7m2k9xwab-57. Opaque to clients; a cursor is "everything after this id".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/event_log.h"

namespace tokenrelay::relay {

using storage::Run;
using storage::Seq;

struct EventId {
  std::string run;
  Seq seq = 0;
};

// What a reconnecting reader is told (PROTOCOL.md, Read): start - it sent no cursor; exact - what follows is everything
// after its cursor; reset - the cursor is not a durable event of this stream: discard and start from the first event.
enum class Verdict { start, exact, reset };
std::string_view name_of(Verdict verdict);

// Ten lower-case letters or digits, a dash, a number without leading zeros; anything else is malformed. A number beyond
// the range of Seq is well-formed, but no event has it.
std::optional<EventId> parse_event_id(std::string_view text);

void append_event_id(std::string& out, const std::vector<Run>& runs, Seq seq);  // seq must lie in one of the runs
std::string event_id(const std::vector<Run>& runs, Seq seq);                    // "" for seq 0

// exact if and only if the run is one of `runs` and made `seq` durable.
Verdict judge(const std::vector<Run>& runs, Seq durable, const EventId& cursor);

}  // namespace tokenrelay::relay
