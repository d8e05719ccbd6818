#include "service/transport/turn_watch.h"

#include <sys/epoll.h>

#include <algorithm>
#include <ctime>

namespace tokenrelay::transport {
namespace {

constexpr int64_t fine_ns = 1'000'000;

thread_local TurnWatch* watch_of_thread = nullptr;

int64_t read_ns(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace

void TurnWatch::watch_thread(TurnWatch* watch) {
  watch_of_thread = watch;
}

int64_t TurnWatch::monotonic_ns() {
  return read_ns(CLOCK_MONOTONIC);
}

void TurnWatch::next() {
  const int64_t now_ns = monotonic_ns();
  end_at(now_ns);
  begin_at(now_ns);
}

void TurnWatch::begin_at(int64_t now_ns) {
  began_ns_ = now_ns;
  if (began_ns_ - cpu_read_ns_ >= fine_ns) read_cpu(began_ns_);
}

void TurnWatch::end_at(int64_t now_ns) {
  if (began_ns_ == 0) return;
  Turn turn{now_ns - began_ns_, now_ns - began_ns_};
  if (turn.wall_ns >= fine_ns) {
    const int64_t before_ns = cpu_ns_;
    read_cpu(now_ns);
    turn.cpu_ns = std::min(turn.wall_ns, cpu_ns_ - before_ns);
  }
  began_ns_ = 0;
  if (observer_) observer_(turn);
}

void TurnWatch::read_cpu(int64_t now_ns) {
  cpu_ns_ = read_ns(CLOCK_THREAD_CPUTIME_ID);
  cpu_read_ns_ = now_ns;
}

int wait_for_events(int epoll, epoll_event* events, int most, int timeout_ms) {
  TurnWatch* const watch = watch_of_thread;
  if (!watch) return epoll_wait(epoll, events, most, timeout_ms);
  if (timeout_ms == 0) {
    watch->next();
    return epoll_wait(epoll, events, most, timeout_ms);
  }
  watch->end();
  const int count = epoll_wait(epoll, events, most, timeout_ms);
  watch->begin();
  return count;
}

}  // namespace tokenrelay::transport
