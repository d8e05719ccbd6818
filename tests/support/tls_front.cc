#include "tests/support/tls_front.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>

#include "tests/support/socket.h"

namespace tokenrelay::support {
namespace {

constexpr int poll_ms = 20;

void show(SSL_CTX* context, const Certificate& shown) {
  BIO* const certificate = BIO_new_mem_buf(shown.certificate.data(), -1);
  BIO* const key = BIO_new_mem_buf(shown.key.data(), -1);
  X509* const parsed = PEM_read_bio_X509(certificate, nullptr, nullptr, nullptr);
  EVP_PKEY* const parsed_key = PEM_read_bio_PrivateKey(key, nullptr, nullptr, nullptr);
  SSL_CTX_use_certificate(context, parsed);
  SSL_CTX_use_PrivateKey(context, parsed_key);
  X509_free(parsed);
  EVP_PKEY_free(parsed_key);
  BIO_free(certificate);
  BIO_free(key);
}

int select_http11(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned size,
                  void* count) {
  static const unsigned char http11[] = "\x08http/1.1";
  if (SSL_select_next_proto(const_cast<unsigned char**>(out), out_size, http11, 9, in, size) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_ALERT_FATAL;
  }
  ++*static_cast<std::atomic<size_t>*>(count);
  return SSL_TLSEXT_ERR_OK;
}

bool readable(int descriptor) {
  pollfd entry{descriptor, POLLIN, 0};
  return poll(&entry, 1, 0) > 0;
}

}  // namespace

TlsFront::TlsFront(uint16_t plain_port, Options options)
    : plain_port_(plain_port),
      options_(std::move(options)),
      shown_(make_certificate("upstream", options_.names, options_.expired ? -60 : 86'400)),
      context_(SSL_CTX_new(TLS_server_method()), SSL_CTX_free) {
  std::signal(SIGPIPE, SIG_IGN);
  show(context_.get(), shown_);
  SSL_CTX_set_alpn_select_cb(context_.get(), select_http11, &with_alpn_);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 64) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("no port for TLS");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

TlsFront::~TlsFront() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  ::close(listener_);
}

std::string TlsFront::base_url(const std::string& host) const {
  return "https://" + host + ":" + std::to_string(port_) + "/v1";
}

void TlsFront::accept_all() {
  while (!stopping_) {
    pollfd entry{listener_, POLLIN, 0};
    if (poll(&entry, 1, poll_ms) <= 0) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client >= 0) threads_.emplace_back([this, client] { serve(client); });
  }
}

void TlsFront::serve(int client) {
  const timeval limit{10, 0};
  const int on = 1;
  setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  SSL* const session = SSL_new(context_.get());
  SSL_set_fd(session, client);
  if (shake_hands(session)) {
    const Socket plain = Socket::connect(plain_port_);
    carry(session, client, plain.fd());
    if (!options_.cuts) SSL_shutdown(session);
  }
  SSL_free(session);
  ::close(client);
}

bool TlsFront::shake_hands(SSL* session) {
  if (SSL_accept(session) != 1) return false;
  ++handshakes_;
  if (SSL_session_reused(session)) ++resumed_;
  return true;
}

// Both ways, until either side ends.
void TlsFront::carry(SSL* session, int client, int plain) {
  char bytes[16 << 10];
  while (!stopping_) {
    pollfd entries[] = {{client, POLLIN, 0}, {plain, POLLIN, 0}};
    if (SSL_pending(session) == 0 && poll(entries, 2, poll_ms) <= 0) continue;
    if (SSL_pending(session) > 0 || readable(client)) {
      const int count = SSL_read(session, bytes, sizeof bytes);
      if (count <= 0) return;
      for (ssize_t sent = 0; sent < count;) {
        const ssize_t now = ::send(plain, bytes + sent, static_cast<size_t>(count - sent), MSG_NOSIGNAL);
        if (now <= 0) return;
        sent += now;
      }
    }
    if (readable(plain)) {
      const ssize_t count = ::recv(plain, bytes, sizeof bytes, 0);
      if (count <= 0 || SSL_write(session, bytes, static_cast<int>(count)) <= 0) return;
    }
  }
}

}  // namespace tokenrelay::support
