// Connection: an open connection to an origin, with TLS or without. It does what the kernel does now, and says what to
// wait for.
//
// Threads: the loop's. Ownership: the descriptor's; destroying it closes at once, unread bytes make that a reset. It
// must be forgotten by the Poller before. The process ignores SIGPIPE. Errors: values.
#pragma once

#include <string_view>

#include "service/client/tls.h"

namespace tokenrelay::client {

class Connection {
 public:
  enum class Status { done, again, closed, failed };
  struct Io {
    Status status;
    size_t bytes = 0;
  };

  Connection(int descriptor, Origin origin, TlsClient* tls);  // takes the descriptor over; null: plain TCP
  ~Connection();
  Connection(const Connection&) = delete;

  int descriptor() const { return descriptor_; }
  bool secure() const { return secure_; }
  const Origin& origin() const { return origin_; }

  Status handshake();  // first, until it is done
  Io read(char* into, size_t room);
  Io write(std::string_view bytes);
  bool wants_room() const { return wants_room_; }  // the last handshake or write said `again`, and waits for writing
  bool has_unread() const;                         // decrypted or not; waiting for the descriptor would not tell
  bool is_dead();                                  // for one that is idle: closed, or it says what nobody asked for
  const char* fault() const;                       // why the handshake failed
  void reset_on_close();                           // else what is still to be sent would be, after closing

 private:
  Status status_of(int result);

  const int descriptor_;
  const bool secure_;
  bool wants_room_ = false;
  const Origin origin_;
  const TlsSession tls_;
};

}  // namespace tokenrelay::client
