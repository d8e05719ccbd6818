// TurnWatch: how long each turn of a loop takes, from the return of its wait for events to its next wait. A long turn
// holds up every connection of the loop.
//
// Cost: two readings of the monotonic clock a turn (no system call), one where the loop does not wait. The thread's CPU
// time, which is a system call, is read at most once a millisecond, so `cpu_ns` of a turn may hold up to a millisecond
// of the turns before it.
// Threads: the loop's; the observer is called on it.
#pragma once

#include <cstdint>
#include <functional>

struct epoll_event;

namespace tokenrelay::transport {

struct Turn {
  int64_t wall_ns;
  int64_t cpu_ns;  // of this thread; as long as wall_ns if the turn took less than a millisecond
};

class TurnWatch {
 public:
  void tell(std::function<void(const Turn&)> observer) { observer_ = std::move(observer); }

  void begin() { begin_at(monotonic_ns()); }  // the loop has something to do
  void end() { end_at(monotonic_ns()); }      // the loop waits
  void next();                                // it looks for events without waiting

  // The watch of the calling thread, whose turns begin and end in wait_for_events(); null: nobody watches.
  static void watch_thread(TurnWatch* watch);

 private:
  static int64_t monotonic_ns();
  void begin_at(int64_t now_ns);
  void end_at(int64_t now_ns);
  void read_cpu(int64_t now_ns);

  std::function<void(const Turn&)> observer_;
  int64_t began_ns_ = 0;  // 0: between turns
  int64_t cpu_ns_ = 0, cpu_read_ns_ = 0;
};

// epoll_wait(2), as Asio's reactor calls it (asio_impl.cc).
int wait_for_events(int epoll, epoll_event* events, int most, int timeout_ms);

}  // namespace tokenrelay::transport
