#include "service/client/exchange.h"

#include <utility>

#include "service/transport/loop.h"

namespace tokenrelay::client {
namespace {

using Cause = TransferEnd::Cause;

constexpr int64_t drain_ms = 50;
constexpr int64_t coarse_lag_ms = 10;  // how far the coarse clock may lag: a timeout must not fire early

const char* what_was_late(Cause late) {
  switch (late) {
    case Cause::connect_timeout:
      return "the connection was not established in time";
    case Cause::idle_timeout:
      return "no data arrived for too long";
    default:
      return "the response did not start in time";
  }
}

}  // namespace

Exchange::Exchange(transport::Loop& loop, Timeouts timeouts, TransferHandler& handler)
    : loop_(loop), handler_(&handler), timer_(loop.timers(), [this] { expired(); }), timeouts_(timeouts) {}

void Exchange::connecting() {
  asked_ = false;
  late_ = Cause::connect_timeout;
  timer_.arm(timeouts_.connect_ms);
}

void Exchange::asked() {
  asked_ = true;
  timer_.cancel();
  expect(Cause::first_byte_timeout, timeouts_.first_byte_ms);
}

void Exchange::say_head(const HttpHead& head) {
  head_said_ = true;
  if (handler_) handler_->on_head(head);
}

void Exchange::say_body(std::string_view bytes) {
  if (!handler_) return;
  if (late_ == Cause::idle_timeout && timer_.armed()) {
    heard_ms_ = loop_.clock().coarse_ms();
  } else {
    expect(Cause::idle_timeout, timeouts_.idle_ms);
  }
  handler_->on_body(bytes);
}

void Exchange::expect(Cause cause, int64_t within_ms) {
  late_ = cause;
  heard_ms_ = loop_.clock().coarse_ms();
  if (!paused_) timer_.arm(within_ms);
}

void Exchange::expired() {
  const auto alive = shared_from_this();
  if (draining_) return leave();
  const int64_t left_ms = heard_ms_ + coarse_lag_ms + timeouts_.idle_ms - loop_.clock().coarse_ms();
  if (late_ == Cause::idle_timeout && left_ms > 0) return timer_.arm(left_ms);
  end(late_, what_was_late(late_));
}

void Exchange::end(Cause cause, std::string message) {
  const auto alive = shared_from_this();
  TransferHandler* const handler = std::exchange(handler_, nullptr);
  leave();
  if (handler) handler->on_end({cause, std::move(message)});
}

void Exchange::abandon() {
  const auto alive = shared_from_this();
  handler_ = nullptr;
  draining_ = false;
  leave();
}

void Exchange::drain() {
  if (over_) return;
  if (!head_said_ || holds_back()) return abandon();
  handler_ = nullptr;
  draining_ = true;
  timer_.arm(drain_ms);
  if (std::exchange(paused_, false)) go_on();
}

void Exchange::leave() {
  if (std::exchange(over_, true)) return;
  timer_.cancel();
  close();
  if (on_over_) on_over_(*this);
}

void Exchange::pause() {
  if (paused_) return;
  paused_ = true;
  if (asked_) timer_.cancel();
}

void Exchange::resume() {
  if (!paused_) return;
  paused_ = false;
  if (over_ || draining_ || !handler_) return;
  if (asked_) {
    head_said_ ? expect(Cause::idle_timeout, timeouts_.idle_ms)
               : expect(Cause::first_byte_timeout, timeouts_.first_byte_ms);
  }
  go_on();
}

}  // namespace tokenrelay::client
