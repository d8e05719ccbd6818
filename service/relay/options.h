// The options of streams and generations, with their defaults (PROTOCOL.md, Limits). One immutable copy serves what
// started under it; a reload makes a new copy for what starts afterwards.
#pragma once

#include <cstdint>

namespace tokenrelay::relay {

struct Options {
  uint32_t live_streams = 4000;
  uint32_t queued_streams = 1000;  // waiting for an upstream slot
  int64_t queue_ms = 60'000;
  uint64_t event_bytes = 16 << 10;  // one stored event; longer deltas are split between code points
  uint64_t stream_bytes = 64 << 20;
  int64_t stream_ms = 3600 * 1000;
  uint32_t upstream_retries = 2;
  int64_t upstream_retry_ms = 30'000;             // for all retries together
  int64_t retry_backoff_ms = 500;                 // the shortest wait; doubles, with jitter
  uint64_t uncommitted_stream_bytes = 256 << 10;  // above it the upstream is not read: only the log may slow it down
  uint64_t uncommitted_bytes = 64 << 20;
  uint64_t memory_bytes = 0;          // memory in use above which new streams are refused; 0: no limit
  uint64_t prompt_bytes = 256 << 20;  // of requests that no upstream has accepted yet; more are refused
  int64_t commit_lag_ms = 2000;       // when the log is further behind, new streams are refused
  int64_t log_stall_ms = 30'000;      // when the log cannot commit for this long, generations are closed
  uint64_t steer_bytes = 32 << 10;
  uint32_t steers = 16;  // per stream
  int64_t retention_ms = 24 * 3600 * 1000;
  uint64_t retention_bytes = 10ull << 30;
  int64_t retention_reader_grace_ms = 600'000;
  int64_t cancel_grace_ms = 250;        // on_disconnect "cancel": reloading a page must not cancel
  int64_t relay_cut_grace_ms = 30'000;  // a cut by the relay arms on_disconnect only after this
};

}  // namespace tokenrelay::relay
