// One wheel for all heartbeats, deadlines and grace periods: arming and cancelling change a few pointers, however many
// timers there are.
//
// Promise: a timer fires once, on the loop's thread, not before its time and at most two ticks (tick_ms) after it while
// the loop is not busy. Threads: loop thread only. Ownership: a Timer is a member of the object that waits;
// destroying it cancels it. A callback may arm, cancel or destroy any timer, its own included.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

namespace tokenrelay::transport {

class Loop;
class TimerWheel;

class Timer {
 public:
  Timer(TimerWheel& wheel, std::function<void()> fire);  // capture one pointer at most: then nothing is allocated
  ~Timer();
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

  void arm(int64_t delay_ms);  // replaces an earlier arming
  void cancel();
  bool armed() const { return prev_ != nullptr; }

 private:
  friend class TimerWheel;
  TimerWheel& wheel_;
  Timer* prev_ = nullptr;
  Timer* next_ = nullptr;
  int64_t due_tick_ = 0;
  std::function<void()> fire_;
};

class TimerWheel {
 public:
  static constexpr int64_t tick_ms = 10;

  explicit TimerWheel(Loop& loop);
  ~TimerWheel();  // every timer must be destroyed before

 private:
  friend class Timer;
  friend class Loop;
  void detach();  // the loop ends: no more sleeping
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tokenrelay::transport
