// Connection: an open connection to an origin, with or without TLS. It never blocks: it does what is possible now, and
// says what to wait for.
//
// Threads: the loop's. Ownership: it owns the descriptor, and closes it when destroyed; unread bytes make that a reset.
// The Poller must forget the descriptor before. The process ignores SIGPIPE. Errors: values.
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

  Connection(int descriptor, Origin origin, TlsClient* tls);  // takes over the descriptor; `tls` null: plain TCP
  ~Connection();
  Connection(const Connection&) = delete;

  int descriptor() const { return descriptor_; }
  bool secure() const { return secure_; }
  const Origin& origin() const { return origin_; }

  Status handshake();  // to be called first, until it is `done`
  Io read(char* into, size_t room);
  Io write(std::string_view bytes);
  bool wants_room() const { return wants_room_; }  // the last handshake or write must wait until writing is possible
  bool has_unread() const;                         // TLS holds bytes, decrypted or not, that the Poller does not see
  bool is_dead();                                  // while idle: closed, or the peer sent something unasked
  const char* fault() const;                       // why the handshake failed
  void reset_on_close();                           // do not send what is still in the socket's buffer after closing

 private:
  Status status_of(int result);

  const int descriptor_;
  const bool secure_;
  bool wants_room_ = false;
  const Origin origin_;
  const TlsSession tls_;
};

}  // namespace tokenrelay::client
