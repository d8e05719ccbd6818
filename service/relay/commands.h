// Commands: what may be said to a running stream, however it arrives (HTTP, WebSocket, the page).
//
// Each is an event of the stream's own shard, ordered with its deltas, and durable before it is acknowledged.
//   cancel  closes the upstream's connection before anything else; deltas read before it stay, later ones are dropped;
//   the
//           answer waits for the commit. Idempotent: an ended stream answers its final state.
//   steer   closes the running generation, appends a `steer` event, and starts a generation with the conversation so
//   far.
//           Steers that come while one is being applied are all in the log, in order, and the generation sees them all.
// Races: whatever ends the stream first wins (cancel, completion, a limit); a steer after that is stream_ended.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <tl/expected.hpp>

#include "service/relay/event_id.h"

namespace tokenrelay::relay {

class Stream;

enum class Refusal {
  stream_ended,     // steer: there is nothing to steer any more
  too_long,         // steer: content over the limit
  too_many,         // steer: the stream has had its number of them
  log_unavailable,  // the log failed: the command can no longer become durable
};

template <typename T>
using CommandDone = std::function<void(tl::expected<T, Refusal>)>;

struct Cancelled {
  std::optional<double> upstream_closed_ms;  // from the command to the closed connection; none: nothing was running
};

struct Steered {
  Seq seq = 0;  // of the steer event
};

void cancel(Stream& stream, CommandDone<Cancelled> done);
void steer(Stream& stream, std::string content, CommandDone<Steered> done);

}  // namespace tokenrelay::relay
