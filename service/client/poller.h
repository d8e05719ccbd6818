// Poller: an epoll set that a loop watches as one descriptor, so that a busy turn costs one wait for all the upstream
// connections of a shard. Level-triggered, unless a listener adds EPOLLET.
//
// Promise: a listener is told only of descriptors that it watches, though perhaps once too often, because a
// descriptor's number may be used again within a turn. Watching a descriptor again replaces its listener, without a
// system call if the events are the same. Threads: the loop's. Ownership: none; a descriptor must be forgotten before
// it is closed and before its listener is destroyed. Errors: if the kernel is out of memory, a descriptor is not
// reported, and timeouts end the transfer. Bounds: at most 16 bytes for each descriptor of the process.
#pragma once

#include <sys/epoll.h>

#include <asio/posix/stream_descriptor.hpp>
#include <cstdint>
#include <memory>
#include <vector>

namespace tokenrelay::client {

class PollListener {
 public:
  virtual void on_ready(int descriptor, uint32_t events) = 0;  // EPOLLIN, EPOLLOUT, EPOLLHUP, EPOLLERR

 protected:
  ~PollListener() = default;
};

class Poller : public std::enable_shared_from_this<Poller> {
 public:
  static std::shared_ptr<Poller> make(asio::io_context& context);

  void watch(int descriptor, uint32_t events, PollListener& listener);
  void forget(int descriptor);

 private:
  struct Watched {
    PollListener* listener = nullptr;
    uint32_t events = 0;
  };

  explicit Poller(asio::io_context& context);
  void wait();
  void take_ready();

  asio::posix::stream_descriptor epoll_;
  std::vector<Watched> watched_;  // by descriptor
};

}  // namespace tokenrelay::client
