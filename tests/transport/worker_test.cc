#include "service/transport/worker.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "service/transport/loop.h"
#include "tests/support/catch.h"

using namespace tokenrelay::transport;

namespace {

// Holds a thread until it is opened.
struct Gate {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  int inside = 0;

  void pass() {
    std::unique_lock lock(mutex);
    ++inside;
    changed.notify_all();
    changed.wait(lock, [this] { return open; });
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return inside >= count; });
  }
  void let_go() {
    const std::lock_guard lock(mutex);
    open = true;
    changed.notify_all();
  }
};

}  // namespace

TEST_CASE("work runs on another thread, what follows on the loop's", "[worker]") {
  Loop loop;
  Worker worker(loop);
  std::thread::id worked, followed;
  worker.run([&] { worked = std::this_thread::get_id(); },
             [&] {
               followed = std::this_thread::get_id();
               loop.stop();
             });
  loop.run();
  CHECK(worked != std::this_thread::get_id());
  CHECK(followed == std::this_thread::get_id());
}

TEST_CASE("the loop goes on while work is under way, and no more than two threads work", "[worker]") {
  Loop loop;
  Worker worker(loop);
  Gate gate;
  std::atomic<int> at_once{0}, most{0};
  int done = 0;
  constexpr int pieces = 20;
  for (int i = 0; i < pieces; ++i) {
    worker.run(
        [&] {
          const int now = ++at_once;
          for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
          gate.pass();
          --at_once;
        },
        [&] {
          if (++done == pieces) loop.stop();
        });
  }
  gate.wait_for(static_cast<int>(Worker::threads_max));
  CHECK(done == 0);
  loop.post([&] { gate.let_go(); });  // runs although both threads are held
  loop.run();
  CHECK(done == pieces);
  CHECK(most == static_cast<int>(Worker::threads_max));
}

TEST_CASE("little work is done at once, without a thread", "[worker]") {
  Loop loop;
  Worker worker(loop);
  std::string order;
  worker.run_if_large(
      Worker::worth_bytes, [&] { order += "w"; }, [&] { order += "t"; });
  CHECK(order == "wt");
  bool worked = false, followed = false;  // the one is the worker's until the other is true
  worker.run_if_large(
      Worker::worth_bytes + 1, [&] { worked = true; },
      [&] {
        followed = true;
        loop.stop();
      });
  CHECK_FALSE(followed);
  loop.run();
  CHECK(worked);
  CHECK(followed);
}

TEST_CASE("an end waits for the work under way and lets go of everything", "[worker]") {
  const auto owned = std::make_shared<int>(1);
  Gate gate;
  int followed = 0, refused = 0;
  {
    Loop loop;
    Worker worker(loop);
    for (int i = 0; i < 5; ++i) {
      worker.run([&, owned] { gate.pass(); }, [&, owned] { ++followed; });
    }
    gate.wait_for(static_cast<int>(Worker::threads_max));
    std::thread opener([&] { gate.let_go(); });
    worker.stop();
    opener.join();
    worker.run([&, owned] { ++refused; }, [&, owned] { ++refused; });
  }
  CHECK(owned.use_count() == 1);
  CHECK(followed == 0);  // the loop did not run: what was posted went with it
  CHECK(refused == 0);   // nothing begins after the end
}
