// Socket: a blocking TCP client on the loopback, with deadlines and with an eye for how the peer ended.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "tests/support/deadline.h"

namespace tokenrelay::support {

enum class Got { bytes, fin, reset, timeout };

class Socket {
 public:
  Socket() = default;
  ~Socket() { close(); }
  Socket(Socket&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
  Socket& operator=(Socket&& other) noexcept;

  // A small receive buffer (0: the system's) makes a slow reader of it.
  static Socket connect(uint16_t port, int receive_buffer = 0);  // !open() if refused
  bool open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  uint16_t local_port() const;

  bool send_all(std::string_view bytes, Deadline deadline = 10s);
  Got receive(std::string& append_to, Deadline deadline, size_t at_most = 64 << 10);  // one recv()
  bool peer_reset() const;  // an RST has arrived, whatever is still unread before it
  void finish_sending();    // FIN
  void reset();             // SO_LINGER 0 and close: RST
  void close();

 private:
  explicit Socket(int fd) : fd_(fd) {}
  int fd_ = -1;
};

// A port that nothing listens on (it was free a moment ago).
uint16_t unused_port();

}  // namespace tokenrelay::support
