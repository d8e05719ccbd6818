#include "service/transport/loop.h"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <atomic>
#include <optional>
#include <thread>

namespace tokenrelay::transport {

struct Loop::State {
  // One thread runs it: Asio then keeps continuations in a thread-private queue and skips most of its locking.
  std::optional<asio::io_context> context{1};
  std::optional<TimerWheel> wheel;
  std::atomic<std::thread::id> thread{};
  TurnWatch turns;
};

Loop::Loop(const Clock& clock) : clock_(clock), state_(std::make_unique<State>()) {
  state_->wheel.emplace(*this);
}

Loop::~Loop() {
  // What still waits in the context (coroutines, their sockets and timers) is destroyed with it, and needs the wheel
  // until then.
  state_->wheel->detach();
  state_->context.reset();
  state_->wheel.reset();
}

asio::io_context& Loop::context() {
  return *state_->context;
}

TimerWheel& Loop::timers() {
  return *state_->wheel;
}

void Loop::post(std::function<void()> call) {
  asio::post(*state_->context, std::move(call));
}

void Loop::run() {
  state_->thread = std::this_thread::get_id();
  {
    auto guard = asio::make_work_guard(*state_->context);
    TurnWatch::watch_thread(&state_->turns);
    state_->turns.begin();
    state_->context->run();
    state_->turns.end();
    TurnWatch::watch_thread(nullptr);
  }
  state_->context->restart();  // after the guard, which stops a context that has nothing else to do
  state_->thread = std::thread::id{};
}

void Loop::on_turn(std::function<void(const Turn&)> observer) {
  state_->turns.tell(std::move(observer));
}

void Loop::stop() {
  state_->context->stop();
}

bool Loop::in_loop_thread() const {
  return state_->thread.load() == std::this_thread::get_id();
}

bool Loop::may_touch() const {
  const std::thread::id runs = state_->thread.load(std::memory_order_relaxed);
  return runs == std::thread::id{} || runs == std::this_thread::get_id();
}

}  // namespace tokenrelay::transport
