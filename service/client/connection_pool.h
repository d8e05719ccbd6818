// ConnectionPool: connections that may carry another request to their origin (RFC 9112 9.3).
//
// Threads: the loop's. Bounds: 64, the one that was idle longest goes first; each for at most 60 s. One that closes, or
// says what nobody asked for, is dropped at once.
#pragma once

#include <memory>
#include <vector>

#include "service/client/connection.h"
#include "service/client/poller.h"
#include "service/transport/timer_wheel.h"

namespace tokenrelay::client {

class ConnectionPool : private PollListener {
 public:
  static constexpr size_t most = 64;
  static constexpr int64_t longest_ms = 60'000;

  ConnectionPool(transport::Loop& loop, std::shared_ptr<Poller> poller);
  ~ConnectionPool();

  void put(std::unique_ptr<Connection> connection);  // read to the end of its response
  // The one that was used last, or null. It stays watched for EPOLLIN, by whoever watches it next.
  std::unique_ptr<Connection> take(const Origin& origin);

 private:
  struct Idle {
    std::unique_ptr<Connection> connection;
    int64_t until_ms;
  };

  void on_ready(int descriptor, uint32_t events) override;
  void drop(size_t at);
  void drop_late();

  transport::Loop& loop_;
  const std::shared_ptr<Poller> poller_;
  std::vector<Idle> idle_;  // the oldest first
  transport::Timer timer_;  // for the oldest
};

}  // namespace tokenrelay::client
