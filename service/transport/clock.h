// Time, injected: monotonic for every timer and measurement, wall time for display and expiry only.
#pragma once

#include <cstdint>

namespace tokenrelay::transport {

class Clock {
 public:
  virtual ~Clock() = default;
  virtual int64_t mono_us() const = 0;  // monotonic, microseconds from some origin
  virtual int64_t wall_ms() const = 0;  // Unix epoch, milliseconds
  // mono_us() in milliseconds, up to 10 late: for what is read at every token and compared in seconds.
  virtual int64_t coarse_ms() const { return mono_us() / 1'000; }
};

// The machine's clocks (CLOCK_MONOTONIC, CLOCK_REALTIME). Lives for the whole program.
const Clock& system_clock();

}  // namespace tokenrelay::transport
