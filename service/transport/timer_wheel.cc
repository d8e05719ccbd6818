#include "service/transport/timer_wheel.h"

#include <algorithm>
#include <array>
#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <bit>
#include <cassert>
#include <chrono>
#include <deque>
#include <limits>
#include <optional>

#include "service/transport/loop.h"

namespace tokenrelay::transport {
namespace {

constexpr int64_t tick_us = TimerWheel::tick_ms * 1000;
constexpr int slot_bits = 6;
constexpr int slots = 1 << slot_bits;
constexpr int levels = 5;  // 64^5 ticks of 10 ms: 124 days; a later timer is put off again when the last level turns
constexpr int64_t never = std::numeric_limits<int64_t>::max();
constexpr int64_t longest_ms = int64_t{1} << 50;

}  // namespace

// A hierarchical wheel: level 0 has a slot for each tick of the current 64, level 1 one for each 64 ticks of the
// current 4096, and so on. A timer sits on the lowest level whose span holds its tick, and moves down when that level
// gets there.
struct TimerWheel::State {
  Loop& loop;
  std::optional<asio::steady_timer> sleeper;
  int64_t now_tick;
  int64_t wake_tick = never;  // when the sleeper wakes
  bool polled;
  size_t armed = 0;
  std::array<uint64_t, levels> occupied{};
  std::deque<Timer> heads;  // one ring's head per slot
  Timer firing;

  State(Loop& owner, TimerWheel& wheel)
      : loop(owner),
        sleeper(std::in_place, owner.context()),
        now_tick(owner.clock().mono_us() / tick_us),
        // An injected clock may be set forward at any time, so it is checked every tick.
        polled(&owner.clock() != &system_clock()),
        firing(wheel, nullptr) {
    for (int i = 0; i < levels * slots; ++i) make_ring(heads.emplace_back(wheel, nullptr));
    make_ring(firing);
  }

  ~State() {
    assert(armed == 0 && "every timer must be gone before its wheel");
    for (Timer& head : heads) head.prev_ = nullptr;
    firing.prev_ = nullptr;
  }

  static void make_ring(Timer& head) { head.prev_ = head.next_ = &head; }
  static bool empty(const Timer& head) { return head.next_ == &head; }

  static void link(Timer& head, Timer& timer) {
    timer.prev_ = head.prev_;
    timer.next_ = &head;
    head.prev_->next_ = &timer;
    head.prev_ = &timer;
  }

  static void unlink(Timer& timer) {
    timer.prev_->next_ = timer.next_;
    timer.next_->prev_ = timer.prev_;
    timer.prev_ = timer.next_ = nullptr;
  }

  // The level is that of the highest bit in which the timer's tick differs from now.
  void place(Timer& timer) {
    uint64_t differs = static_cast<uint64_t>(timer.due_tick_ ^ now_tick) | (slots - 1);
    int level = std::min((63 - std::countl_zero(differs)) / slot_bits, levels - 1);
    int slot = static_cast<int>(timer.due_tick_ >> (slot_bits * level)) & (slots - 1);
    link(heads[level * slots + slot], timer);
    occupied[level] |= uint64_t{1} << slot;
  }

  struct Next {
    int64_t tick = never;
    int level = 0;
    int slot = 0;
  };

  // The first occupied slot; ticks on a lower level always come before those on a higher one.
  Next next() {
    for (int level = 0; level < levels; ++level) {
      int shift = slot_bits * level;
      int current = static_cast<int>(now_tick >> shift) & (slots - 1);
      while (occupied[level] != 0) {
        // The current slot comes last: what is in it, on the last level only, is a whole turn ahead.
        int ahead = 1 + std::countr_zero(std::rotr(occupied[level], current + 1));
        int slot = (current + ahead) & (slots - 1);
        if (empty(heads[level * slots + slot])) {  // cancelling leaves the bit set
          occupied[level] &= ~(uint64_t{1} << slot);
          continue;
        }
        return {((now_tick >> shift) + ahead) << shift, level, slot};
      }
    }
    return {};
  }

  void advance() {
    int64_t target = loop.clock().mono_us() / tick_us;
    for (;;) {
      Next due = next();
      if (due.tick > target) break;
      now_tick = due.tick;
      Timer& head = heads[due.level * slots + due.slot];
      occupied[due.level] &= ~(uint64_t{1} << due.slot);
      take(head);
      while (!empty(firing)) fire_or_move(*firing.next_);
    }
    now_tick = std::max(now_tick, target);
    sleep();
  }

  void take(Timer& head) {
    firing.next_ = head.next_;
    firing.prev_ = head.prev_;
    head.next_->prev_ = &firing;
    head.prev_->next_ = &firing;
    make_ring(head);
  }

  void fire_or_move(Timer& timer) {
    unlink(timer);
    if (timer.due_tick_ > now_tick) {
      place(timer);
      return;
    }
    --armed;
    auto fire = timer.fire_;  // a copy: the callback may destroy its timer
    fire();
  }

  void sleep() {
    int64_t tick = next().tick;
    if (tick == never || !sleeper) return;
    if (wake_tick <= tick) return;
    wake_tick = tick;
    int64_t wait_us = polled ? tick_us : std::max<int64_t>(0, tick * tick_us - loop.clock().mono_us());
    if (polled) wake_tick = 0;
    sleeper->expires_after(std::chrono::microseconds(wait_us));
    sleeper->async_wait([this](const std::error_code& error) {
      if (error) return;  // armed for an earlier time, or the loop ends
      wake_tick = never;
      advance();
    });
  }
};

Timer::Timer(TimerWheel& wheel, std::function<void()> fire) : wheel_(wheel), fire_(std::move(fire)) {}

Timer::~Timer() {
  if (armed()) cancel();
}

void Timer::arm(int64_t delay_ms) {
  cancel();
  auto& state = *wheel_.state_;
  int64_t delay_us = std::clamp<int64_t>(delay_ms, 0, longest_ms) * 1000;
  int64_t now_us = state.loop.clock().mono_us();
  if (state.armed == 0 && TimerWheel::State::empty(state.firing))
    state.now_tick = std::max(state.now_tick, now_us / tick_us);
  due_tick_ = std::max((now_us + delay_us + tick_us - 1) / tick_us, state.now_tick + 1);
  ++state.armed;
  state.place(*this);
  if (due_tick_ < state.wake_tick) state.sleep();
}

void Timer::cancel() {
  if (!armed()) return;
  TimerWheel::State::unlink(*this);
  --wheel_.state_->armed;
}

TimerWheel::TimerWheel(Loop& loop) : state_(std::make_unique<State>(loop, *this)) {}
TimerWheel::~TimerWheel() = default;

void TimerWheel::detach() {
  state_->sleeper.reset();
}

}  // namespace tokenrelay::transport
