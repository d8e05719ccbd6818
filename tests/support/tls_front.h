// TlsFront: TLS before a server that speaks plain TCP on the loopback, so that a ModelServer's scripts can be played
// over https://localhost and https://127.0.0.1. Threads: one for accepting and one a connection; the destructor ends
// all.
#pragma once

#include <openssl/ssl.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/tls.h"

namespace tokenrelay::support {

class TlsFront {
 public:
  struct Options {
    std::string names = "DNS:localhost,IP:127.0.0.1";  // whom its certificate, signed by itself, is for
    bool expired = false;
    bool cuts = false;  // ends without close_notify
  };

  explicit TlsFront(uint16_t plain_port) : TlsFront(plain_port, Options()) {}
  TlsFront(uint16_t plain_port, Options options);
  ~TlsFront();
  TlsFront(const TlsFront&) = delete;

  uint16_t port() const { return port_; }
  std::string base_url(const std::string& host = "localhost") const;
  std::string certificate() const { return shown_.certificate; }  // PEM
  size_t handshakes() const { return handshakes_; }
  size_t resumed() const { return resumed_; }
  size_t with_alpn() const { return with_alpn_; }  // offered http/1.1

 private:
  void accept_all();
  void serve(int client);
  bool shake_hands(SSL* session);
  void carry(SSL* session, int client, int plain);

  const uint16_t plain_port_;
  const Options options_;
  const Certificate shown_;
  const std::shared_ptr<SSL_CTX> context_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopping_{false};
  std::atomic<size_t> handshakes_{0}, resumed_{0}, with_alpn_{0};
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace tokenrelay::support
