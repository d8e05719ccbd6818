// Waiting for a stream: for its end, for an event to be durable, for the upstream's answer.
#include <algorithm>

#include "service/relay/stream.h"

namespace tokenrelay::relay {

void Stream::when_ended(std::function<void(bool)> then) {
  if (phase_ == Phase::ended) return then(true);
  if (broken_) return then(false);
  waiting_for_end_.push_back(std::move(then));
}

void Stream::when_durable(Seq seq, std::function<void(bool)> then) {
  if (seq <= durable()) return then(true);
  if (broken_) return then(false);
  const auto later = [](Seq place, const auto& waiting) { return place < waiting.first; };
  const auto at = std::upper_bound(waiting_for_durable_.begin(), waiting_for_durable_.end(), seq, later);
  waiting_for_durable_.emplace(at, seq, std::move(then));
}

void Stream::when_answered(int64_t within_ms, std::function<void()> then) {
  if (answered_ || broken_ || phase_ == Phase::ended) return then();
  if (!answered_timer_) {
    answered_timer_ = std::make_unique<transport::Timer>(context_.loop.timers(), [this] { notify_answered(); });
    answered_timer_->arm(within_ms);
  }
  waiting_for_answer_.push_back(std::move(then));
}

void Stream::notify_answered() {
  const auto self = shared_from_this();
  if (answered_timer_) answered_timer_->cancel();
  answered_ = true;
  for (auto& then : std::exchange(waiting_for_answer_, {})) then();
}

void Stream::notify_ended(bool durable) {
  notify_answered();
  for (auto& then : std::exchange(waiting_for_end_, {})) then(durable);
}

}  // namespace tokenrelay::relay
