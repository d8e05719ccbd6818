// ConnectionPool: idle connections that can take another request to their origin (RFC 9112 9.3).
//
// Threads: the loop's. Bounds: 64 connections, the one idle longest goes first; each for at most 60 s. One that the
// peer closes, or on which it sends something unasked, is dropped at once.
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

  void put(std::unique_ptr<Connection> connection);  // its response must have been read to the end
  // The one that was used last, or null. The Poller still watches it for EPOLLIN: the caller watches it anew.
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
  transport::Timer timer_;  // until the oldest must go
};

}  // namespace tokenrelay::client
