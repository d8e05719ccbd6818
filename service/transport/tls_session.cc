#include "service/transport/tls_session.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace tokenrelay::transport {
namespace {

constexpr size_t record_bytes = SSL3_RT_MAX_PLAIN_LENGTH;
constexpr size_t dropped_at_most = 64 << 10;

// The bytes of `parts` after `offset`, at most one record; not copied if they are one piece.
std::span<const char> next_record(std::span<const iovec> parts, size_t offset) {
  thread_local std::array<char, record_bytes> gathered;
  size_t size = 0;
  for (size_t i = 0; i < parts.size() && size < record_bytes; ++i) {
    const size_t skip = std::min(offset, parts[i].iov_len);
    offset -= skip;
    const char* from = static_cast<const char*>(parts[i].iov_base) + skip;
    const size_t piece = std::min(parts[i].iov_len - skip, record_bytes - size);
    if (piece == 0) continue;
    const bool whole = size == 0 && (piece == record_bytes || i + 1 == parts.size());
    if (whole) return {from, piece};
    std::memcpy(gathered.data() + size, from, piece);
    size += piece;
  }
  return {gathered.data(), size};
}

// An alert of 31 bytes must fit behind a body that filled the buffer, which prepare_for_stream() keeps small.
void make_room(int descriptor) {
  int bytes = 0;
  socklen_t size = sizeof bytes;
  const int all = -1, more = 256 << 10;
  (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &all, sizeof all);
  if (::getsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &bytes, &size) == 0 && bytes < more)
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &more, sizeof more);
}

void drop_unread(int descriptor) {
  std::array<char, 4096> scratch;
  for (size_t dropped = 0; dropped < dropped_at_most;) {
    const ssize_t got = ::recv(descriptor, scratch.data(), scratch.size(), MSG_DONTWAIT);
    if (got <= 0) return;
    dropped += static_cast<size_t>(got);
  }
}

}  // namespace

TlsSession::~TlsSession() {
  leave_handshake();
  SSL_free(ssl_);
}

bool TlsSession::begin(int descriptor) {
  if (shared_->handshakes >= shared_->max_handshakes) {
    const linger reset{1, 0};
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    shared_->refused("handshakes");
    return false;
  }
  ssl_ = SSL_new(shared_->context.get());
  if (ssl_ == nullptr || SSL_set_fd(ssl_, descriptor) != 1) return false;
  SSL_set_accept_state(ssl_);
  in_handshake_ = true;
  ++shared_->handshakes;
  return true;
}

void TlsSession::leave_handshake() {
  if (in_handshake_) --shared_->handshakes;
  in_handshake_ = false;
}

IoStatus TlsSession::status_of(int result, bool& wants_other, bool reading) {
  const int error = SSL_get_error(ssl_, result);
  wants_other = error == (reading ? SSL_ERROR_WANT_WRITE : SSL_ERROR_WANT_READ);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return IoStatus::would_block;
  if (error == SSL_ERROR_ZERO_RETURN && reading) {
    ended_ = IoStatus::eof;
  } else {
    ended_ = IoStatus::failed;
  }
  ERR_clear_error();
  return *ended_;
}

IoResult TlsSession::read(int descriptor, char* into, size_t room) {
  if (ended_) return {*ended_};
  if (ssl_ == nullptr && !begin(descriptor)) {
    ended_ = IoStatus::failed;
    return {*ended_};
  }
  size_t got = 0;
  read_wants_room_ = false;
  while (got < room) {
    size_t some = 0;
    ERR_clear_error();
    const int result = SSL_read_ex(ssl_, into + got, room - got, &some);
    if (result == 1) {
      got += some;
      continue;
    }
    const IoStatus status = status_of(result, read_wants_room_, true);
    if (in_handshake_ && ended_ == IoStatus::failed && !SSL_is_init_finished(ssl_)) shared_->refused("tls");
    if (in_handshake_ && (ended_ || SSL_is_init_finished(ssl_))) leave_handshake();
    if (got == 0) return {status};
    break;
  }
  if (in_handshake_) leave_handshake();  // data has arrived
  return {IoStatus::done, got};
}

IoResult TlsSession::write(std::span<const iovec> parts) {
  if (ssl_ == nullptr || ended_ == IoStatus::failed) return {IoStatus::failed};
  size_t sent = 0;
  write_wants_bytes_ = false;
  for (;;) {
    const auto record = next_record(parts, sent);
    if (record.empty()) return {IoStatus::done, sent};
    size_t some = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(ssl_, record.data(), record.size(), &some);
    if (result != 1) {
      const IoStatus status = status_of(result, write_wants_bytes_, false);
      if (sent > 0 && status == IoStatus::would_block) return {IoStatus::done, sent};
      return {status};
    }
    sent += some;
  }
}

void TlsSession::say_goodbye(int descriptor) {
  if (ssl_ == nullptr) return;
  if (!SSL_is_init_finished(ssl_)) return drop_unread(descriptor);
  if (ended_ == IoStatus::failed || (SSL_get_shutdown(ssl_) & SSL_SENT_SHUTDOWN) != 0) return;
  ERR_clear_error();
  if (SSL_shutdown(ssl_) < 0) {
    make_room(descriptor);
    (void)SSL_shutdown(ssl_);
  }
  ERR_clear_error();
}

bool TlsSession::has_unread() const {
  return ended_ || (ssl_ != nullptr && SSL_pending(ssl_) > 0);
}

}  // namespace tokenrelay::transport
