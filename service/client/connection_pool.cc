#include "service/client/connection_pool.h"

#include <algorithm>

#include "service/transport/loop.h"

namespace tokenrelay::client {
namespace {

int64_t now_ms(transport::Loop& loop) {
  return loop.clock().mono_us() / 1000;
}

}  // namespace

ConnectionPool::ConnectionPool(transport::Loop& loop, std::shared_ptr<Poller> poller)
    : loop_(loop), poller_(std::move(poller)), timer_(loop.timers(), [this] { drop_late(); }) {}

ConnectionPool::~ConnectionPool() {
  while (!idle_.empty()) drop(idle_.size() - 1);
}

void ConnectionPool::put(std::unique_ptr<Connection> connection) {
  if (idle_.size() >= most) drop(0);
  poller_->watch(connection->descriptor(), EPOLLIN, *this);
  idle_.push_back({std::move(connection), now_ms(loop_) + longest_ms});
  if (!timer_.armed()) timer_.arm(longest_ms);
}

std::unique_ptr<Connection> ConnectionPool::take(const Origin& origin) {
  for (size_t at = idle_.size(); at-- > 0;) {
    if (!(idle_[at].connection->origin() == origin)) continue;
    if (idle_[at].connection->is_dead()) {
      drop(at);
      continue;
    }
    std::unique_ptr<Connection> connection = std::move(idle_[at].connection);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(at));
    return connection;
  }
  return nullptr;
}

void ConnectionPool::on_ready(int descriptor, uint32_t) {
  const auto found = std::find_if(idle_.begin(), idle_.end(),
                                  [&](const Idle& idle) { return idle.connection->descriptor() == descriptor; });
  if (found != idle_.end() && found->connection->is_dead()) drop(static_cast<size_t>(found - idle_.begin()));
}

void ConnectionPool::drop(size_t at) {
  poller_->forget(idle_[at].connection->descriptor());
  idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(at));
}

void ConnectionPool::drop_late() {
  while (!idle_.empty() && idle_.front().until_ms <= now_ms(loop_)) drop(0);
  if (!idle_.empty()) timer_.arm(idle_.front().until_ms - now_ms(loop_));
}

}  // namespace tokenrelay::client
