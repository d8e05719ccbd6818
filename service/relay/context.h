// What every part of a shard shares. One per shard, outlives everything in it.
#pragma once

#include <functional>

#include "metrics/metrics.h"
#include "service/transport/loop.h"
#include "service/transport/worker.h"
#include "storage/event_log.h"

namespace tokenrelay::relay {

using Random = std::function<void(void* into, size_t bytes)>;  // getrandom in production, seeded in tests

struct Context {
  transport::Loop& loop;
  storage::EventLog& log;
  transport::Worker& worker;
  metrics::Metrics& metrics;
  Random random;
  int paused_streams = 0;     // streams whose upstream is not read because the log is behind
  uint64_t prompt_bytes = 0;  // of requests that no upstream has accepted yet
  bool crowded = false;       // the machine is full: readers are behind because the relay is

  int64_t now_ms() const { return loop.clock().mono_us() / 1000; }
  int64_t wall_ms() const { return loop.clock().wall_ms(); }
};

}  // namespace tokenrelay::relay
