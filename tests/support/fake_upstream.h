// FakeUpstream: a model's endpoint that does exactly what a script says, good or evil, over raw sockets on the
// loopback.
//
// Threads: one for accepting and one a connection; every method may be called from any thread. The destructor closes
// all.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/fake_upstream_script.h"

namespace tokenrelay::support {

class FakeUpstream {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  struct Request {
    size_t connection = 0;  // 0, 1, 2 … in the order of accepting
    std::string head, body;
    TimePoint at{};
    std::optional<TimePoint> closed_by_peer;  // while its script ran or after
  };

  FakeUpstream();
  ~FakeUpstream();
  FakeUpstream(const FakeUpstream&) = delete;

  uint16_t port() const { return port_; }
  std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port_) + "/v1"; }

  // Scripts are used in order, one a request; the last one stays.
  void answer(Script script);
  void answer_with(std::function<Script(const Request&)> choose);  // instead
  void signal(const std::string& name);                            // from now on wait_signal(name) passes

  std::vector<Request> requests() const;
  bool wait_requests(size_t count, std::chrono::milliseconds within) const;
  std::optional<TimePoint> wait_closed(size_t request, std::chrono::milliseconds within) const;  // by the peer
  size_t open_connections() const { return open_; }
  size_t connections() const { return accepted_; }  // ever
  uint64_t bytes_sent() const { return bytes_sent_; }
  void refuse_connections();  // closes the listener: later ones are refused

 private:
  class Connection;
  void accept_all();
  Script next_script(const Request& request);
  bool signalled(const std::string& name) const;

  uint16_t port_ = 0;  // before listener_, which sets it
  int listener_ = -1;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> open_{0}, accepted_{0};
  std::atomic<uint64_t> bytes_sent_{0};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  std::deque<Script> scripts_;
  std::function<Script(const Request&)> choose_;
  std::set<std::string> signals_;
  std::vector<Request> requests_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace tokenrelay::support
