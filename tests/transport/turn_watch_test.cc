#include "service/transport/turn_watch.h"

#include <time.h>

#include <chrono>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/transport/loop_fixture.h"

using namespace tokenrelay::transport;

namespace {

constexpr int64_t ms = 1'000'000;

// Uses `for_ns` of this thread's CPU time, however long that takes on a busy machine.
void spin(int64_t for_ns) {
  const auto used = [] {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  };
  const int64_t until = used() + for_ns;
  while (used() < until) {
  }
}

// The turns of a loop that runs `call` once, after a first wait.
std::vector<Turn> turns_of(std::function<void()> call) {
  Loop loop;
  std::vector<Turn> turns;
  loop.on_turn([&turns](const Turn& turn) { turns.push_back(turn); });
  bool done = false;
  Timer timer(loop.timers(), [&] {
    call();
    done = true;
  });
  timer.arm(30);
  REQUIRE(run_until(loop, [&] { return done; }));
  return turns;
}

Turn longest(const std::vector<Turn>& turns, int64_t Turn::*length) {
  Turn longest{};
  for (const Turn& turn : turns) {
    if (turn.*length > longest.*length) longest = turn;
  }
  return longest;
}

}  // namespace

TEST_CASE("a turn that computes shows with its CPU time", "[turn_watch]") {
  const Turn turn = longest(turns_of([] { spin(40 * ms); }), &Turn::cpu_ns);
  CHECK(turn.cpu_ns >= 40 * ms);
  CHECK(turn.cpu_ns < 80 * ms);
  CHECK(turn.wall_ns >= turn.cpu_ns);
}

TEST_CASE("a turn that waits for another thread is long, but uses no CPU time", "[turn_watch]") {
  const auto turns = turns_of([] { std::this_thread::sleep_for(std::chrono::milliseconds(40)); });
  CHECK(longest(turns, &Turn::wall_ns).wall_ns >= 40 * ms);
  CHECK(longest(turns, &Turn::cpu_ns).cpu_ns < 20 * ms);
}

TEST_CASE("waiting for events belongs to no turn", "[turn_watch]") {
  Loop loop;
  std::vector<Turn> turns;
  loop.on_turn([&turns](const Turn& turn) { turns.push_back(turn); });
  Timer timer(loop.timers(), [&] { loop.stop(); });
  timer.arm(100);
  const int64_t began_us = system_clock().mono_us();
  loop.run();
  int64_t in_turns_ns = 0;
  for (const Turn& turn : turns) in_turns_ns += turn.wall_ns;
  CHECK_FALSE(turns.empty());
  CHECK(in_turns_ns < (system_clock().mono_us() - began_us) * 1'000 - 50 * ms);
}

TEST_CASE("a loop that nobody watches runs as before, and run() can be watched again", "[turn_watch]") {
  Loop quiet;
  quiet.post([&] { quiet.stop(); });
  quiet.run();
  Loop loop;
  size_t turns = 0;
  loop.on_turn([&turns](const Turn&) { ++turns; });
  for (int i = 0; i < 2; ++i) {
    loop.post([&] { loop.stop(); });
    loop.run();
  }
  CHECK(turns >= 2);
}
