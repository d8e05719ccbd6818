// Channel: reads and writes on a connected, non-blocking descriptor, in the clear or through TLS, as recv() and send()
// answer: a count, 0 at the peer's end, -1 with errno (EAGAIN: later). For drivers with thousands of connections: those
// of one side share a context. The descriptor stays its owner's and must outlive the channel. Not thread-safe.
#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <memory>
#include <string_view>

#include "tests/support/tls.h"

namespace tokenrelay::support {

using TlsContext = std::shared_ptr<SSL_CTX>;
TlsContext tls_server(const Certificate& certificate);  // throws if OpenSSL does not take it
TlsContext tls_client();                                // takes whatever a server shows

class Channel {
 public:
  explicit Channel(int fd) : fd_(fd) {}
  Channel(int fd, const TlsContext& context);  // no context: in the clear; the handshake is the first read's or write's

  // TLS: a buffer of 16 KiB or more takes a whole record, so nothing stays behind that a poll would not see.
  ssize_t read(char* bytes, size_t size);
  ssize_t write(std::string_view bytes);
  // After a write that did not take all: until the descriptor is writable; else until it was readable (a handshake).
  bool wants_out() const { return wants_out_; }

 private:
  ssize_t answer(int result);

  struct Free {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };
  int fd_;
  std::unique_ptr<SSL, Free> ssl_;
  bool wants_out_ = false;
};

}  // namespace tokenrelay::support
