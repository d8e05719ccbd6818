// Listener: accepts connections on one address and hands each over as a Socket.
//
// Bounds: at most max_connections are open (the owner reports ends with closed()); further ones are refused by a reset.
// Out of descriptors (EMFILE) it pauses, and in the end refuses clients with a spare one; it neither crashes nor spins.
// The constructor binds: a port that somebody listens on is known before anything else is begun. Clients can connect
// from start() on, which listens; of two that are bound at the same moment it refuses the second.
// No SO_REUSEPORT: two relays must not share a port unnoticed.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "service/transport/socket.h"

namespace tokenrelay::transport {

class Listener {
 public:
  using Accepted = std::function<void(Socket)>;

  // "HOST:PORT", port 0 for any; "[::1]:8080" for IPv6; "localhost:8080" resolves. Throws std::system_error (start-up
  // only), as start() may.
  Listener(Loop& loop, const std::string& address, size_t max_connections, Accepted accepted);
  ~Listener();

  void when_refused(std::function<void(std::string_view reason)> call);  // limit, descriptors
  void start();
  void stop();    // closes the listening socket; connections stay
  void closed();  // one accepted connection has ended
  size_t open_connections() const;
  uint16_t port() const;
  std::string host() const;  // as bound, numeric
  bool loopback() const;     // bound to 127.0.0.0/8 or ::1

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tokenrelay::transport
