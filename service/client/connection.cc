#include "service/client/connection.h"

#include <openssl/err.h>
#include <openssl/x509.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace tokenrelay::client {
namespace {

bool would_block() {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

int int_size(size_t size) {
  return static_cast<int>(std::min<size_t>(size, INT_MAX));
}

}  // namespace

Connection::Connection(int descriptor, Origin origin, TlsClient* tls)
    : descriptor_(descriptor),
      secure_(tls != nullptr),
      origin_(std::move(origin)),
      tls_(tls ? tls->open(descriptor, origin_) : nullptr) {}

Connection::~Connection() {
  if (tls_ && SSL_is_init_finished(tls_.get())) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());  // sends close_notify, if the socket's buffer has room
  }
  ::close(descriptor_);
}

Connection::Status Connection::handshake() {
  if (!secure_) return Status::done;
  if (!tls_) return Status::failed;
  ERR_clear_error();
  const int result = SSL_do_handshake(tls_.get());
  if (result == 1) return SSL_get_verify_result(tls_.get()) == X509_V_OK ? Status::done : Status::failed;
  return status_of(result) == Status::again ? Status::again : Status::failed;
}

Connection::Status Connection::status_of(int result) {
  const int error = SSL_get_error(tls_.get(), result);
  wants_room_ = error == SSL_ERROR_WANT_WRITE;
  if (error == SSL_ERROR_WANT_READ || wants_room_) return Status::again;
  return error == SSL_ERROR_ZERO_RETURN ? Status::closed : Status::failed;
}

Connection::Io Connection::read(char* into, size_t room) {
  if (secure_) {
    ERR_clear_error();
    const int count = SSL_read(tls_.get(), into, int_size(room));
    if (count > 0) return {Status::done, static_cast<size_t>(count)};
    return {status_of(count)};
  }
  const ssize_t count = ::recv(descriptor_, into, room, 0);
  if (count > 0) return {Status::done, static_cast<size_t>(count)};
  if (count == 0) return {Status::closed};
  return {would_block() ? Status::again : Status::failed};
}

Connection::Io Connection::write(std::string_view bytes) {
  wants_room_ = false;
  if (secure_) {
    ERR_clear_error();
    const int count = SSL_write(tls_.get(), bytes.data(), int_size(bytes.size()));
    if (count > 0) return {Status::done, static_cast<size_t>(count)};
    return {status_of(count)};
  }
  const ssize_t count = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (count >= 0) return {Status::done, static_cast<size_t>(count)};
  wants_room_ = would_block();
  return {wants_room_ ? Status::again : Status::failed};
}

bool Connection::has_unread() const {
  return secure_ && tls_ && SSL_has_pending(tls_.get());
}

// Without TLS, any byte between two responses is an error; with TLS, session tickets and key updates may arrive.
bool Connection::is_dead() {
  char byte;
  if (tls_) {
    ERR_clear_error();
    return status_of(SSL_peek(tls_.get(), &byte, 1)) != Status::again;
  }
  return ::recv(descriptor_, &byte, 1, MSG_PEEK) >= 0 || !would_block();
}

void Connection::reset_on_close() {
  const linger at_once{1, 0};
  (void)::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

const char* Connection::fault() const {
  const long verified = tls_ ? SSL_get_verify_result(tls_.get()) : X509_V_OK;
  return verified == X509_V_OK ? "the TLS handshake failed" : X509_verify_cert_error_string(verified);
}

}  // namespace tokenrelay::client
