#include "service/client/poller.h"

#include <asio/io_context.hpp>
#include <stdexcept>
#include <utility>

namespace tokenrelay::client {
namespace {

int make_epoll() {
  const int descriptor = epoll_create1(EPOLL_CLOEXEC);
  if (descriptor < 0) throw std::runtime_error("cannot create an epoll descriptor for the upstream connections");
  return descriptor;
}

}  // namespace

std::shared_ptr<Poller> Poller::make(asio::io_context& context) {
  std::shared_ptr<Poller> set(new Poller(context));
  set->wait();
  return set;
}

Poller::Poller(asio::io_context& context) : epoll_(context, make_epoll()) {}

void Poller::watch(int descriptor, uint32_t events, PollListener& listener) {
  const size_t at = static_cast<size_t>(descriptor);
  if (at >= watched_.size()) watched_.resize(at + 1);
  Watched& watched = watched_[at];
  const bool known = std::exchange(watched.listener, &listener) != nullptr;
  if (known && watched.events == events) return;
  watched.events = events;
  epoll_event event{};
  event.events = events;
  event.data.fd = descriptor;
  epoll_ctl(epoll_.native_handle(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, descriptor, &event);
}

void Poller::forget(int descriptor) {
  const size_t at = static_cast<size_t>(descriptor);
  if (at >= watched_.size() || !watched_[at].listener) return;
  watched_[at] = Watched{};
  epoll_ctl(epoll_.native_handle(), EPOLL_CTL_DEL, descriptor, nullptr);
}

void Poller::wait() {
  epoll_.async_wait(asio::posix::stream_descriptor::wait_read,
                    [weak = weak_from_this()](const asio::error_code& error) {
                      const auto alive = weak.lock();
                      if (error || !alive) return;
                      alive->take_ready();
                      alive->wait();
                    });
}

void Poller::take_ready() {
  epoll_event events[256];
  const int count = epoll_wait(epoll_.native_handle(), events, std::size(events), 0);
  for (int i = 0; i < count; ++i) {
    PollListener* const listener = watched_[static_cast<size_t>(events[i].data.fd)].listener;
    if (listener) listener->on_ready(events[i].data.fd, events[i].events);
  }
}

}  // namespace tokenrelay::client
