#include "service/http/exchange.h"

#include <utility>

namespace tokenrelay::http {

void Ticket::write(int status) {
  auto log = std::exchange(log_, nullptr);
  if (!log || !*log) return;
  record_.status = status;
  record_.duration_us = clock_.mono_us() - started_us_;
  (*log)(record_);
  record_ = {};
}

void ConnectionSlot::end() {
  auto taken = std::exchange(taken_, nullptr);
  if (!taken) return;
  --taken->taken;
  auto ended = std::exchange(ended_, nullptr);
  if (ended && !taken->closed) ended();
}

}  // namespace tokenrelay::http
