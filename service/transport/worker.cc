#include "service/transport/worker.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cassert>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "service/transport/loop.h"

namespace tokenrelay::transport {
namespace {

// Linux has a priority for each thread (setpriority(2), NOTES); refused or not, the work is done.
void yield_to_others() {
  constexpr int niceness = 10;
  static_cast<void>(setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), niceness));
}

}  // namespace

struct Worker::State {
  struct Piece {
    std::function<void()> work, then;
  };

  void serve(Loop& loop) {
    yield_to_others();
    while (auto piece = next()) {
      piece->work();
      piece->work = nullptr;  // what it owns is let go here, not on the loop
      loop.post(std::move(piece->then));
    }
  }

  std::unique_ptr<Piece> next() {
    std::unique_lock lock(mutex);
    ++idle;
    changed.wait(lock, [this] { return stopping || !waiting.empty(); });
    --idle;
    if (stopping) return nullptr;
    auto piece = std::make_unique<Piece>(std::move(waiting.front()));
    waiting.pop_front();
    return piece;
  }

  std::mutex mutex;  // held for moments only
  std::condition_variable changed;
  std::deque<Piece> waiting;
  size_t idle = 0;
  bool stopping = false;
  std::vector<std::thread> threads;  // the loop's
};

Worker::Worker(Loop& loop) : loop_(loop), state_(std::make_unique<State>()) {}

Worker::~Worker() {
  stop();
}

void Worker::run(std::function<void()> work, std::function<void()> then) {
  assert(loop_.may_touch());
  bool all_busy = false;
  {
    const std::lock_guard lock(state_->mutex);
    if (state_->stopping) return;
    state_->waiting.push_back({std::move(work), std::move(then)});
    all_busy = state_->idle < state_->waiting.size();
  }
  state_->changed.notify_one();
  if (!all_busy || state_->threads.size() == threads_max) return;
  state_->threads.emplace_back([this] { state_->serve(loop_); });
}

void Worker::run_if_large(size_t bytes, std::function<void()> work, std::function<void()> then) {
  if (bytes > worth_bytes) return run(std::move(work), std::move(then));
  work();
  then();
}

void Worker::stop() {
  std::deque<State::Piece> dropped;
  {
    const std::lock_guard lock(state_->mutex);
    state_->stopping = true;
    dropped.swap(state_->waiting);
  }
  state_->changed.notify_all();
  for (auto& thread : std::exchange(state_->threads, {})) thread.join();
}

}  // namespace tokenrelay::transport
