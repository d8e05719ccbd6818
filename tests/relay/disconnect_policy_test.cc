#include "service/relay/disconnect_policy.h"

#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

using namespace tokenrelay::relay;
using Action = OnDisconnect::Action;

namespace {

struct Policy {
  tokenrelay::support::ManualLoop time;
  int cancels = 0;
  DisconnectPolicy policy;

  explicit Policy(OnDisconnect what) : policy(time.loop.timers(), what, 250, 30'000, [this] { ++cancels; }) {
    policy.on_created();
  }
  int after(int64_t ms) {
    time.advance(ms);
    return cancels;
  }
};

}  // namespace

TEST_CASE("continue: never cancels", "[disconnect_policy]") {
  Policy p({Action::keep_going, 0});
  p.policy.on_last_reader_left(false);
  p.policy.on_last_reader_left(true);
  CHECK(p.after(10'000'000) == 0);
}

TEST_CASE("cancel: waits for the grace, and not at all before the first reader", "[disconnect_policy]") {
  Policy p({Action::cancel, 0});
  CHECK(p.after(3'600'000) == 0);  // nobody has come yet
  p.policy.on_reader();
  p.policy.on_last_reader_left(false);
  CHECK(p.after(240) == 0);
  CHECK(p.after(20) == 1);
  CHECK(p.after(10'000) == 1);
}

TEST_CASE("cancel: a reload is not a cancel", "[disconnect_policy]") {
  Policy p({Action::cancel, 0});
  p.policy.on_last_reader_left(false);
  CHECK(p.after(200) == 0);
  p.policy.on_reader();
  CHECK(p.after(10'000) == 0);
}

TEST_CASE("a cut made by the relay arms only after its long grace", "[disconnect_policy]") {
  Policy cancel({Action::cancel, 0});
  cancel.policy.on_last_reader_left(true);
  CHECK(cancel.after(30'200) == 0);
  CHECK(cancel.after(60) == 1);
  Policy timed({Action::cancel_after, 1'000});
  timed.policy.on_last_reader_left(true);
  CHECK(timed.after(30'950) == 0);
  CHECK(timed.after(60) == 1);
}

TEST_CASE("cancel_after_ms also counts from creation", "[disconnect_policy]") {
  Policy unread({Action::cancel_after, 1'000});
  CHECK(unread.after(980) == 0);
  CHECK(unread.after(30) == 1);
  Policy read({Action::cancel_after, 1'000});
  read.policy.on_reader();
  CHECK(read.after(5'000) == 0);
  read.policy.on_last_reader_left(false);
  CHECK(read.after(980) == 0);
  CHECK(read.after(30) == 1);
}

TEST_CASE("cancel_after_ms of zero cancels at once, stop() disarms", "[disconnect_policy]") {
  Policy p({Action::cancel_after, 0});
  CHECK(p.after(20) == 1);
  Policy stopped({Action::cancel_after, 100});
  stopped.policy.stop();
  CHECK(stopped.after(10'000) == 0);
}
