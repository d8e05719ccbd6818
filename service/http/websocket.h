// WebSocket: RFC 6455 on a taken connection. Text messages in and out, pings, the close handshake.
//
// Like StreamingBody it has no queue: send() passes whole messages on, what the kernel does not take is kept, and the
// owner sends again after on_room(). While something is kept the peer is not read, so that it cannot make answers pile
// up. Extensions: none. Close codes: 1002, 1007, 1009 for violations by the peer, 1003 for a binary message.
//
// Threads: loop thread. Ownership: the owner destroys it; destroying it open cuts the connection. Callbacks are never
// called inside send(), close() or cut(); the owner may not destroy it inside on_message or on_room, but may inside
// on_gone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/http/problem.h"
#include "service/http/reply.h"

namespace tokenrelay::http {

// Why a request cannot become a WebSocket.
struct UpgradeError {
  Code code;
  std::string detail;
};

// The headers of the 101, from a valid opening handshake (RFC 6455 4.2.1); with `subprotocol` if it was offered.
tl::expected<HeaderList, UpgradeError> check_upgrade(const Request& request, std::string_view subprotocol);

class WebSocket {
 public:
  class Owner {
   public:
    virtual void on_message(std::string_view text) = 0;  // valid UTF-8
    virtual void on_room() = 0;
    virtual bool answers_due() const = 0;      // the close frame waits for them; call flush() when they are sent
    virtual void on_gone(int close_code) = 0;  // RFC 6455 7.1.5; 1006 without a close frame; last call
   protected:
    ~Owner() = default;
  };

  struct Options {
    HeaderList headers;               // from check_upgrade()
    size_t message_bytes = 64 << 10;  // more is 1009
    int64_t ping_ms = 25'000;
    int64_t pong_ms = 10'000;  // a peer that is silent for this long after a ping is dropped
    int64_t close_ms = 5'000;  // time for the peer's part of the close handshake
    int64_t write_stall_ms = 60'000;
  };

  WebSocket(TakenConnection connection, Options options, Owner& owner);
  ~WebSocket();

  bool send(std::string_view text);  // gathers one message; flush() sends it. false: the socket is over
  void flush();                      // everything gathered in one write
  bool has_room() const;             // else wait for on_room() before sending more
  void close(uint16_t code, std::string_view reason);  // what was sent leaves first
  void cut();
  bool over() const;     // closing, cut or gone: send() does nothing
  bool stalled() const;  // in on_gone(): the peer took nothing in time although bytes were due

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace tokenrelay::http
