// Commands: cancel and steer a running stream, whichever way they arrive (HTTP, WebSocket, the page).
//
// Each is an event of the stream's own shard, ordered with its deltas, and durable before it is acknowledged.
//   cancel  closes the upstream's connection before anything else. Deltas already appended are kept, later ones are
//           dropped; the answer waits for the commit. Idempotent: an ended stream answers with its final state.
//   steer   closes the running generation, appends a `steer` event, and starts a generation with the conversation
//           so far. Steers that arrive while one is being applied are all logged in order; the generation sees all.
// Races: whatever ends the stream first wins (cancel, completion, a limit). A steer after that is stream_ended.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <tl/expected.hpp>

#include "service/relay/event_id.h"

namespace tokenrelay::relay {

class Stream;

enum class Refusal {
  stream_ended,     // steer: the stream is over
  too_long,         // steer: the content is over the limit
  too_many,         // steer: the stream has reached its limit of steers
  log_unavailable,  // the log failed: the command cannot become durable
};

template <typename T>
using CommandDone = std::function<void(tl::expected<T, Refusal>)>;

struct Cancelled {
  std::optional<double> upstream_closed_ms;  // from the command to the closed connection; nullopt: nothing was running
};

struct Steered {
  Seq seq = 0;  // of the steer event
};

void cancel(Stream& stream, CommandDone<Cancelled> done);
void steer(Stream& stream, std::string_view content, CommandDone<Steered> done);

}  // namespace tokenrelay::relay
