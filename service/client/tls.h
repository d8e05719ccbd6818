// TlsClient: what a shard's TLS connections to upstreams share: the trusted authorities and the sessions to resume.
//
// TLS 1.2 and 1.3 (RFC 5246, RFC 8446), ALPN http/1.1 (RFC 7301), no renegotiation. A server's certificate must contain
// the origin's name (RFC 6125: subject alternative names, or an address) and chain to one of OpenSSL's default
// authorities, which SSL_CERT_FILE and SSL_CERT_DIR replace. Sessions are resumed with the origin's last ticket.
//
// Threads: the loop's. Ownership: outlives its sessions. Bounds: the tickets of 64 origins; an idle session holds no
// buffers (SSL_MODE_RELEASE_BUFFERS).
#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <unordered_map>

#include "service/client/target.h"

namespace tokenrelay::client {

struct TlsDeleter {
  void operator()(SSL* session) const { SSL_free(session); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL_SESSION* ticket) const { SSL_SESSION_free(ticket); }
};
using TlsSession = std::unique_ptr<SSL, TlsDeleter>;

class TlsClient {
 public:
  TlsClient();

  // A client's session on the descriptor, before its handshake. `origin` must outlive it. Null: out of memory, or the
  // origin's name cannot be verified.
  TlsSession open(int descriptor, const Origin& origin);

 private:
  static int on_ticket(SSL* session, SSL_SESSION* ticket);

  const std::unique_ptr<SSL_CTX, TlsDeleter> context_;
  std::unordered_map<std::string, std::unique_ptr<SSL_SESSION, TlsDeleter>> tickets_;  // by the origin's key
};

}  // namespace tokenrelay::client
