// Loop: one thread's event loop (Asio's io_context), its clock and its timers. A shard is built around one.
//
// Threads: post() from any thread; everything else on the thread that runs run().
// Exceptions: run() catches none, so what a post, a timer or a connection's callback lets out ends the process. That is
// meant: what could throw here is a failed allocation or a broken invariant, and the log loses nothing by the end.
#pragma once

#include <functional>
#include <memory>

#include "service/transport/clock.h"
#include "service/transport/timer_wheel.h"
#include "service/transport/turn_watch.h"

namespace asio {
class io_context;
}

namespace tokenrelay::transport {

class Loop {
 public:
  explicit Loop(const Clock& clock = system_clock());
  ~Loop();
  Loop(const Loop&) = delete;

  asio::io_context& context();
  TimerWheel& timers();
  const Clock& clock() const { return clock_; }

  void post(std::function<void()> call);  // runs later, in order of posting
  void run();                             // until stop()
  void stop();
  bool in_loop_thread() const;
  // For assertions of what only the loop's thread may do: there, or while nobody runs it (start, end, tests).
  bool may_touch() const;
  // Called at the end of each turn; before run().
  void on_turn(std::function<void(const Turn&)> observer);

 private:
  const Clock& clock_;
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tokenrelay::transport
