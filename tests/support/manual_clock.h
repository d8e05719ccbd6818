// A clock that stands still until the test sets it forward, and a loop run by the test's own thread.
#pragma once

#include <asio/io_context.hpp>
#include <chrono>
#include <thread>

#include "service/transport/loop.h"

namespace tokenrelay::support {

struct ManualClock final : transport::Clock {
  int64_t us = 1'000'000'000;
  int64_t wall_from_ms = 1'795'000'000'000;
  int64_t mono_us() const override { return us; }
  int64_t wall_ms() const override { return wall_from_ms + us / 1000; }
};

// Threads: the test's. The clock is declared first: the loop reads it to its end.
struct ManualLoop {
  ManualClock clock;
  transport::Loop loop{clock};

  // Runs everything that is ready.
  void settle() {
    loop.context().restart();
    loop.context().poll();
  }
  // Sets the clock forward and lets every timer that is then due fire. The wheel looks at an injected clock once a tick
  // of real time, so one such tick is waited for: after it the look is due, whatever the machine does.
  void advance(int64_t ms) {
    clock.us += ms * 1000;
    std::this_thread::sleep_for(std::chrono::milliseconds(transport::TimerWheel::tick_ms + 1));
    settle();
  }
};

}  // namespace tokenrelay::support
