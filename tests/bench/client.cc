#include "tests/bench/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "tests/bench/machine.h"
#include "tests/support/fleet_delta.h"

namespace tokenrelay::bench {

using support::monotonic_us;

Client::Client() : epoll_(epoll_create1(EPOLL_CLOEXEC)), buffer_(256 << 10, '\0') {}

Client::~Client() {
  close_all();
  ::close(epoll_);
}

void Client::watch(int fd, uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  epoll_ctl(epoll_, operation, fd, &event);
}

Client::Connection Client::open(Endpoint to, std::string request, ResponseSink& sink) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw std::runtime_error(std::string("no socket: ") + std::strerror(errno));
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS) {
    ::close(fd);
    throw std::runtime_error(std::string("cannot connect: ") + std::strerror(errno));
  }
  if (to.tls && !tls_) tls_ = support::tls_client();
  links_.emplace(fd, Link{&sink, std::move(request), support::Channel(fd, to.tls ? tls_ : nullptr)});
  watch(fd, EPOLLIN | EPOLLOUT, EPOLL_CTL_ADD);
  return fd;
}

void Client::send(Connection connection, const std::string& request) {
  Link& link = links_.at(connection);
  link.unsent += request;
  flush(connection, link);
}

void Client::close(Connection connection) {
  if (links_.erase(connection) > 0) ::close(connection);
}

void Client::close_all() {
  for (const auto& [fd, link] : std::exchange(links_, {})) ::close(fd);
}

void Client::flush(int fd, Link& link) {
  const ssize_t sent = link.channel.write(link.unsent);
  if (sent > 0) link.unsent.erase(0, static_cast<size_t>(sent));
  const bool wants = !link.unsent.empty() && (sent > 0 || link.channel.wants_out());
  watch(fd, wants ? EPOLLIN | EPOLLOUT : uint32_t{EPOLLIN}, EPOLL_CTL_MOD);
}

void Client::serve(int fd, uint32_t events) {
  const auto found = links_.find(fd);
  if (found == links_.end()) return;
  Link& link = found->second;
  if ((events & EPOLLOUT) != 0) flush(fd, link);
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) return;
  const ssize_t got = link.channel.read(buffer_.data(), buffer_.size());
  if (got < 0 && errno == EAGAIN) {
    if (!link.unsent.empty()) flush(fd, link);  // the handshake went on
    return;
  }
  if (got > 0 && link.response.feed({buffer_.data(), static_cast<size_t>(got)}, *link.sink)) return;
  if (got != 0 || !link.response.finish(*link.sink)) ++lost_;
  close(fd);
}

bool Client::run(const std::function<bool()>& done, double seconds) {
  const int64_t until = monotonic_us() + static_cast<int64_t>(seconds * 1e6);
  epoll_event events[512];
  while (!done()) {
    throw_if_stopped();
    const int64_t left_us = until - monotonic_us();
    if (left_us <= 0) return false;
    const int wait_ms = static_cast<int>(std::min<int64_t>((left_us + 999) / 1000, 100));
    const int count = epoll_wait(epoll_, events, std::size(events), wait_ms);
    for (int i = 0; i < count; ++i) serve(events[i].data.fd, events[i].events);
  }
  return true;
}

}  // namespace tokenrelay::bench
