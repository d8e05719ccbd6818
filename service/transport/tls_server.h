// TlsServer: what the TLS connections of one port share: the certificate in force, the key of their session tickets,
// and the count of handshakes under way.
//
// TLS 1.2 and 1.3 (RFC 5246, RFC 8446), forward secrecy, ALPN http/1.1 (RFC 7301), no renegotiation, no compression.
// Sessions are resumed only by tickets (RFC 5077, RFC 8446 4.6.1): nothing is kept here for a client that has gone, and
// the tickets' key outlives a change of certificate. Threads: loop thread. Ownership: a session may outlive the server.
// Bounds: handshakes under way; a client beyond them is refused by a reset.
#pragma once

#include <openssl/types.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

namespace tokenrelay::transport {

class Socket;

struct TlsFiles {
  std::string certificate;  // PEM, the server's own first, then its chain
  std::string key;          // PEM, without a passphrase
};

// May every user of the machine read this file? False if it cannot be looked at.
bool readable_by_all(const std::string& file);

struct TlsFault {
  enum class File { certificate, key } file;
  std::string what;  // "cannot be read: No such file or directory"
};

// Shared by the server and its sessions.
struct TlsShared {
  std::shared_ptr<SSL_CTX> context;  // for handshakes that begin now
  size_t handshakes = 0;
  size_t max_handshakes = 0;
  std::function<void(std::string_view reason)> refused = [](std::string_view) {};
};

class TlsServer {
 public:
  static constexpr size_t handshakes_at_once = 2048;  // about 40 KB each

  static tl::expected<TlsServer, TlsFault> open(const TlsFiles& files, size_t max_handshakes = handshakes_at_once);

  std::optional<TlsFault> reload(const TlsFiles& files);  // on a fault the old certificate stays in use
  void change_to(const TlsServer& opened);                // its certificate, which another thread may have read
  // Reasons: a handshake failed (tls), or there were too many (handshakes).
  void when_refused(std::function<void(std::string_view reason)> call) { shared_->refused = std::move(call); }
  void secure(Socket& socket);  // fresh from accept
  size_t handshakes() const { return shared_->handshakes; }

 private:
  explicit TlsServer(std::shared_ptr<TlsShared> shared) : shared_(std::move(shared)) {}
  std::shared_ptr<TlsShared> shared_;
};

}  // namespace tokenrelay::transport
