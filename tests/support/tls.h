// TLS for tests: a self-signed certificate made on the spot, and the client's side of a session on a descriptor.
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "tests/support/deadline.h"

namespace tokenrelay::support {

// A P-256 key, valid for a day; `name` is its common name, `others` (OpenSSL's notation) are whom it is for. Negative
// seconds: it has run out.
struct Certificate {
  std::string certificate, key;  // PEM
};
Certificate make_certificate(const std::string& name, const std::string& others = "DNS:localhost,IP:127.0.0.1",
                             long seconds = 86'400);

struct TlsClientOptions {
  std::string ca = {};    // PEM file; empty: whatever the server shows is taken
  int max_version = 0;    // e.g. TLS1_1_VERSION, offered although it is out of fashion; 0: the newest
  std::string alpn = {};  // one protocol to offer
  std::shared_ptr<SSL_SESSION> resume = {};
};

// One session on a connected, non-blocking descriptor, which stays the caller's. Not thread-safe.
class TlsClient {
 public:
  enum class Step { done, again, closed, failed };  // closed: close_notify; failed: anything else, errno kept

  TlsClient(int fd, const TlsClientOptions& options = {});
  ~TlsClient();
  TlsClient(const TlsClient&) = delete;

  Step shake();
  Step read(std::string& append_to, size_t at_most = 64 << 10);
  Step write(std::string_view& bytes);  // takes off what went
  void say_goodbye();
  bool renegotiate();  // asks for it, TLS 1.2; the rest is read()'s

  bool wants_write() const;
  bool resumed() const;
  std::string version() const;
  std::string alpn() const;
  std::string server_name() const;                     // the common name the server showed
  std::shared_ptr<SSL_SESSION> ticket() const;         // the newest; nothing before the server sent one
  const std::string& error() const { return error_; }  // OpenSSL's words for a failed step

 private:
  Step step_of(int result);

  std::shared_ptr<SSL_CTX> context_;
  SSL* ssl_;
  std::shared_ptr<SSL_SESSION> ticket_;
  std::string error_;
};

}  // namespace tokenrelay::support
