// walk_events: a stream's durable events in order, read back block by block. The only way to read a stream's past.
//
// Threads: the shard's loop. Ownership: the walk holds the stream until it is over. Bounds: one block of the log at a
// time, whatever the stream's length.
#pragma once

#include <functional>
#include <limits>
#include <memory>
#include <string_view>

#include "storage/event.h"
#include "storage/event_log.h"

namespace tokenrelay::relay {

class Stream;

// Called for each event; false ends the walk there.
using Visit = std::function<bool(storage::Seq seq, storage::EventKind kind, std::string_view payload)>;

// As upper bound: whatever is durable when the walk gets there.
inline constexpr storage::Seq all_durable = std::numeric_limits<storage::Seq>::max();

// The events after `after`, up to `upto`. `done` is called once, perhaps before this returns; false: the log cannot be
// read.
void walk_events(const std::shared_ptr<Stream>& stream, storage::Seq after, storage::Seq upto, Visit visit,
                 std::function<void(bool readable)> done);

}  // namespace tokenrelay::relay
