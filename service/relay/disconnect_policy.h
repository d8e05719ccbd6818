// on_disconnect: what happens to a generation that nobody reads (PROTOCOL.md, Control: when nobody reads).
//
// It arms when the last subscriber leaves and disarms when one arrives; only cancel_after_ms also counts from creation.
// `cancel` waits for a short grace, so that reloading a page does not cancel. After a cut by the relay itself the grace
// is long.
#pragma once

#include <cstdint>
#include <functional>

#include "service/transport/timer_wheel.h"

namespace tokenrelay::relay {

struct OnDisconnect {
  enum class Action { keep_going, cancel, cancel_after };
  Action action = Action::keep_going;
  int64_t after_ms = 0;
};

class DisconnectPolicy {
 public:
  DisconnectPolicy(transport::TimerWheel& wheel, OnDisconnect what, int64_t cancel_grace_ms, int64_t relay_cut_grace_ms,
                   std::function<void()> cancel)
      : timer_(wheel, std::move(cancel)),
        what_(what),
        cancel_grace_ms_(cancel_grace_ms),
        relay_cut_grace_ms_(relay_cut_grace_ms) {}

  void on_created() {
    if (what_.action == OnDisconnect::Action::cancel_after) timer_.arm(what_.after_ms);
  }
  void on_reader() { timer_.cancel(); }
  void on_last_reader_left(bool cut_by_relay) {
    if (what_.action == OnDisconnect::Action::keep_going) return;
    const int64_t wait = what_.action == OnDisconnect::Action::cancel ? cancel_grace_ms_ : what_.after_ms;
    timer_.arm(wait + (cut_by_relay ? relay_cut_grace_ms_ : 0));
  }
  void stop() { timer_.cancel(); }

 private:
  transport::Timer timer_;
  OnDisconnect what_;
  int64_t cancel_grace_ms_, relay_cut_grace_ms_;
};

}  // namespace tokenrelay::relay
