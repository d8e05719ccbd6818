// A loop driven from the test's own thread, and TCP pairs on the loopback.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <stdexcept>
#include <utility>

#include "service/transport/loop.h"
#include "service/transport/socket.h"

namespace tokenrelay::transport {

struct FakeClock final : Clock {
  int64_t us = 1'000'000'000;
  int64_t mono_us() const override { return us; }
  int64_t wall_ms() const override { return us / 1000; }
};

// Runs the loop until `done` or the deadline (real time); says whether it was done.
inline bool run_until(Loop& loop, const std::function<bool()>& done, int64_t deadline_ms = 5'000) {
  int64_t end = system_clock().mono_us() + deadline_ms * 1000;
  asio::steady_timer again(loop.context());  // not the wheel's: its clock may stand still
  std::function<void()> look = [&] {
    if (done() || system_clock().mono_us() >= end) return loop.stop();
    again.expires_after(std::chrono::milliseconds(1));
    again.async_wait([&look](const std::error_code& error) {
      if (!error) look();
    });
  };
  loop.post(look);
  loop.run();
  return done();
}

struct TcpPair {
  int server = -1;  // the test hands it to a Socket
  int client = -1;

  explicit TcpPair(int client_receive_buffer = 0) {
    int listening = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    socklen_t size = sizeof address;
    client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client_receive_buffer > 0) {
      ::setsockopt(client, SOL_SOCKET, SO_RCVBUF, &client_receive_buffer, sizeof client_receive_buffer);
    }
    if (::bind(listening, generic, size) != 0 || ::listen(listening, 1) != 0 ||
        ::getsockname(listening, generic, &size) != 0 || ::connect(client, generic, size) != 0) {
      throw std::runtime_error("no loopback");
    }
    server = ::accept4(listening, nullptr, nullptr, SOCK_CLOEXEC);
    ::close(listening);
  }
  ~TcpPair() {
    if (client >= 0) ::close(client);
  }
  TcpPair(const TcpPair&) = delete;
  void close_client() { ::close(std::exchange(client, -1)); }
};

}  // namespace tokenrelay::transport
