#include "service/transport/loop.h"

#include <atomic>
#include <thread>
#include <vector>

#include "tests/support/catch.h"
#include "tests/transport/loop_fixture.h"

using namespace tokenrelay::transport;

TEST_CASE("posts run on the loop's thread, in order of posting", "[loop]") {
  Loop loop;
  std::vector<int> order;
  std::atomic<bool> inside{true};
  CHECK_FALSE(loop.in_loop_thread());
  std::thread runner([&] { loop.run(); });
  for (int i = 0; i < 1000; ++i) {
    loop.post([&, i] {
      order.push_back(i);
      if (!loop.in_loop_thread()) inside = false;
    });
  }
  loop.post([&] { loop.stop(); });
  runner.join();
  REQUIRE(order.size() == 1000);
  for (int i = 0; i < 1000; ++i) REQUIRE(order[static_cast<size_t>(i)] == i);
  CHECK(inside);
}

TEST_CASE("a post runs later, also from inside, and run() can be called again", "[loop]") {
  Loop loop;
  std::string said;
  loop.post([&] {
    loop.post([&] {
      said += "b";
      loop.stop();
    });
    said += "a";
  });
  loop.run();
  CHECK(said == "ab");
  loop.post([&] {
    said += "c";
    loop.stop();
  });
  loop.run();
  CHECK(said == "abc");
}

TEST_CASE("what still waits when the loop ends is destroyed with it", "[loop]") {
  auto alive = std::make_shared<int>(1);
  {
    Loop loop;
    TcpPair pair;
    // A socket and a timer that only the loop's queue owns: both need the loop's parts while they die.
    auto socket = std::make_shared<Socket>(loop, pair.server);
    auto timer = std::make_shared<Timer>(loop.timers(), [] {});
    timer->arm(60'000);
    loop.post([socket, timer, alive] {});
  }
  CHECK(alive.use_count() == 1);
}
