#include "service/client/connection_pool.h"

#include <algorithm>

#include "service/transport/loop.h"

namespace tokenrelay::upstream {
namespace {

int64_t now_ms(transport::Loop& loop) {
  return loop.clock().mono_us() / 1000;
}

}  // namespace

IdleWires::IdleWires(transport::Loop& loop, std::shared_ptr<ReadySet> ready)
    : loop_(loop), ready_(std::move(ready)), timer_(loop.timers(), [this] { drop_late(); }) {}

IdleWires::~IdleWires() {
  while (!idle_.empty()) drop(idle_.size() - 1);
}

void IdleWires::put(std::unique_ptr<Wire> wire) {
  if (idle_.size() >= most) drop(0);
  ready_->watch(wire->descriptor(), EPOLLIN, *this);
  idle_.push_back({std::move(wire), now_ms(loop_) + longest_ms});
  if (!timer_.armed()) timer_.arm(longest_ms);
}

std::unique_ptr<Wire> IdleWires::take(const Origin& origin) {
  for (size_t at = idle_.size(); at-- > 0;) {
    if (!(idle_[at].wire->origin() == origin)) continue;
    if (idle_[at].wire->is_dead()) {
      drop(at);
      continue;
    }
    std::unique_ptr<Wire> wire = std::move(idle_[at].wire);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(at));
    return wire;
  }
  return nullptr;
}

void IdleWires::on_ready(int descriptor, uint32_t) {
  const auto found =
      std::find_if(idle_.begin(), idle_.end(), [&](const Idle& idle) { return idle.wire->descriptor() == descriptor; });
  if (found != idle_.end() && found->wire->is_dead()) drop(static_cast<size_t>(found - idle_.begin()));
}

void IdleWires::drop(size_t at) {
  ready_->forget(idle_[at].wire->descriptor());
  idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(at));
}

void IdleWires::drop_late() {
  while (!idle_.empty() && idle_.front().until_ms <= now_ms(loop_)) drop(0);
  if (!idle_.empty()) timer_.arm(idle_.front().until_ms - now_ms(loop_));
}

}  // namespace tokenrelay::upstream
