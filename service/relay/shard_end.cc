// How a shard ends: nothing new, what runs may finish within a time, the rest is interrupted.
#include "service/relay/shard.h"

namespace tokenrelay::relay {
namespace {

constexpr int64_t last_commit_ms = 5'000;  // of a drain: for its terminal events to become durable

}  // namespace

void Shard::drain(int64_t timeout_ms, std::function<void()> done) {
  draining_ = true;
  if (log_->status().state == storage::LogState::failed) return loop_.post(std::move(done));
  drained_ = std::move(done);
  drain_timer_.arm(timeout_ms);
  if_drained();
}

// What is being created counts: its client will be told that it lives.
void Shard::if_drained() {
  if (drained_ && live_.empty() && creating_ == 0) loop_.post(std::exchange(drained_, nullptr));
}

void Shard::finish_drain() {
  if (std::exchange(drain_is_over_, true)) {  // the log takes no terminal events: the next start appends them
    if (drained_) loop_.post(std::exchange(drained_, nullptr));
    return;
  }
  drain_timer_.arm(last_commit_ms);
  for (const auto& stream : all_live()) interrupt(*stream);
}

void Shard::interrupt(Stream& stream) {
  stream.interrupt("relay_drained", "the relay shut down before the answer was complete");
}

}  // namespace tokenrelay::relay
