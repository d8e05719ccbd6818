// Deadline: the moment a wait gives up. Tests never sleep for luck: they wait for a condition, with one of these.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace tokenrelay::support {

using Clock = std::chrono::steady_clock;
using TimePoint = Clock::time_point;
using std::chrono::milliseconds;
using namespace std::chrono_literals;

class Deadline {
 public:
  template <typename Rep, typename Period>  // implicit: a budget reads well where a deadline is due
  Deadline(std::chrono::duration<Rep, Period> budget) : at_(Clock::now() + budget) {}
  bool passed() const { return Clock::now() >= at_; }
  milliseconds left() const {
    return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(at_ - Clock::now()));
  }
  int left_ms() const { return static_cast<int>(left().count()); }

 private:
  TimePoint at_;
};

// Asks until `condition` holds or the deadline passes; says whether it held.
template <typename Condition>
bool wait_until(Condition condition, Deadline deadline, milliseconds pause = 5ms) {
  for (;;) {
    if (condition()) return true;
    if (deadline.passed()) return condition();
    std::this_thread::sleep_for(std::min(pause, deadline.left() + 1ms));
  }
}

inline int64_t ms_since(TimePoint start) {
  return std::chrono::duration_cast<milliseconds>(Clock::now() - start).count();
}

}  // namespace tokenrelay::support
