#include "service/transport/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <asio/post.hpp>
#include <cassert>
#include <cerrno>
#include <climits>

#include "service/transport/loop.h"
#include "service/transport/tls_session.h"

namespace tokenrelay::transport {
namespace {

using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

void set_option(int descriptor, int level, int name, int value) {
  // Only tuning: without the option the connection works as well.
  (void)::setsockopt(descriptor, level, name, &value, sizeof value);
}

struct Address {
  std::string host;
  uint16_t port = 0;
};

Address peer_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) return {};
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
    return {text, ntohs(v4->sin_port)};
  }
  if (storage.ss_family != AF_INET6) return {};
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
    inet_ntop(AF_INET, v6->sin6_addr.s6_addr + 12, text, sizeof text);
  } else {
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
  }
  return {text, ntohs(v6->sin6_port)};
}

IoResult failure() {
  if (errno == EAGAIN || errno == EWOULDBLOCK) return {IoStatus::would_block};
  return {IoStatus::failed, 0, errno == ETIMEDOUT};
}

}  // namespace

struct Socket::State {
  struct Wait {
    std::function<void()> ready;
    uint32_t epoch = 0;  // recognises a completion that was under way when its wait was cancelled
  };

  Loop& loop;
  std::unique_ptr<TlsSession> tls;
  Descriptor io;
  bool resets = false;  // its close is a reset, without a close_notify
  Wait reading;
  Wait writing;

  explicit State(Loop& owner) : loop(owner), io(owner.context()) {}

  static void start(const std::shared_ptr<State>& self, Wait State::*wait, std::function<void()> ready) {
    assert(self && self->io.is_open());
    Wait& pending = (*self).*wait;
    assert(!pending.ready && "one pending wait for each direction");
    pending.ready = std::move(ready);
    auto finish = [self, wait, epoch = pending.epoch](const std::error_code& error) {
      Wait& done = (*self).*wait;
      if (error == asio::error::operation_aborted || done.epoch != epoch || !done.ready) return;
      auto call = std::exchange(done.ready, nullptr);
      ++done.epoch;
      call();
    };
    bool reads = wait == &State::reading;
    if (self->tls) {
      if (reads && self->tls->has_unread()) {
        return asio::post(self->io.get_executor(), [finish = std::move(finish)] { finish({}); });
      }
      reads = reads ? !self->tls->read_wants_room() : self->tls->write_wants_bytes();
    }
    self->io.async_wait(reads ? Descriptor::wait_read : Descriptor::wait_write, std::move(finish));
  }

  void drop(Wait& wait) {
    wait.ready = nullptr;
    ++wait.epoch;
  }

  void close() {
    drop(reading);
    drop(writing);
    if (tls && !resets) tls->say_goodbye(io.native_handle());
    std::error_code ignored;
    io.close(ignored);
  }
};

Socket::Socket(Loop& loop, int descriptor) : state_(std::make_shared<State>(loop)) {
  int flags = ::fcntl(descriptor, F_GETFL);
  if (flags >= 0 && (flags & O_NONBLOCK) == 0) (void)::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  std::error_code error;
  state_->io.assign(descriptor, error);
  if (error) ::close(descriptor);  // the kernel would not watch it: is_open() is false
}

Socket::~Socket() {
  close();
}

Socket::Socket(Socket&&) noexcept = default;

Socket& Socket::operator=(Socket&& other) noexcept {
  if (this != &other) {
    close();
    state_ = std::move(other.state_);
  }
  return *this;
}

void Socket::secure(std::unique_ptr<TlsSession> session) {
  state_->tls = std::move(session);
}

bool Socket::secured() const {
  return state_ && state_->tls;
}

bool Socket::is_open() const {
  return state_ && state_->io.is_open();
}

int Socket::descriptor() const {
  return is_open() ? state_->io.native_handle() : -1;
}

Loop& Socket::loop() const {
  return state_->loop;
}

IoResult Socket::read(char* into, size_t room) {
  if (!is_open()) return {IoStatus::failed};
  if (state_->tls) return state_->tls->read(state_->io.native_handle(), into, room);
  ssize_t got;
  do {
    got = ::recv(state_->io.native_handle(), into, room, MSG_DONTWAIT);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return failure();
  if (got == 0 && room > 0) return {IoStatus::eof};
  return {IoStatus::done, static_cast<size_t>(got)};
}

IoResult Socket::write(std::span<const iovec> parts) {
  if (!is_open()) return {IoStatus::failed};
  if (state_->tls) return state_->tls->write(parts);
  msghdr message{};
  message.msg_iov = const_cast<iovec*>(parts.data());
  message.msg_iovlen = std::min<size_t>(parts.size(), IOV_MAX);
  ssize_t sent;
  do {
    sent = ::sendmsg(state_->io.native_handle(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return failure();
  return {IoStatus::done, static_cast<size_t>(sent)};
}

void Socket::wait_readable(std::function<void()> ready) {
  State::start(state_, &State::reading, std::move(ready));
}

void Socket::wait_writable(std::function<void()> ready) {
  State::start(state_, &State::writing, std::move(ready));
}

void Socket::cancel_waits() {
  if (!is_open()) return;
  state_->drop(state_->reading);
  state_->drop(state_->writing);
  std::error_code ignored;
  state_->io.cancel(ignored);
}

void Socket::prepare_for_stream() {
  if (!is_open()) return;
  set_option(descriptor(), SOL_SOCKET, SO_SNDBUF, 64 << 10);
  set_option(descriptor(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, 16 << 10);
}

size_t Socket::unacknowledged_bytes() const {
  int bytes = 0;
  return is_open() && ::ioctl(descriptor(), SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<size_t>(bytes) : 0;
}

void Socket::give_up_after(int64_t ms) {
  if (is_open())
    set_option(descriptor(), IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(std::min<int64_t>(ms, INT_MAX)));
}

void Socket::cut_if_dropped(bool on) {
  if (!is_open()) return;
  state_->resets = on;
  const linger reset{on ? 1 : 0, 0};
  (void)::setsockopt(descriptor(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
}

void Socket::cut() {
  cut_if_dropped(true);
  close();
}

void Socket::end_writing() {
  if (!is_open()) return;
  if (state_->tls) state_->tls->say_goodbye(descriptor());
  (void)::shutdown(descriptor(), SHUT_WR);
}

void Socket::close() {
  if (is_open()) state_->close();
}

std::string Socket::peer_address() const {
  return is_open() ? peer_of(descriptor()).host : std::string();
}

uint16_t Socket::peer_port() const {
  return is_open() ? peer_of(descriptor()).port : uint16_t{0};
}

}  // namespace tokenrelay::transport
