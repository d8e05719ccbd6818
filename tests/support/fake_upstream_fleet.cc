#include "tests/support/fake_upstream_fleet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <queue>
#include <random>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "tests/support/channel.h"
#include "tests/support/model_script.h"

namespace tokenrelay::support {
namespace {

size_t length_of_body(std::string_view head) {
  for (const char* name : {"\r\nContent-Length: ", "\r\ncontent-length: "}) {
    const size_t at = head.find(name);
    if (at == head.npos) continue;
    size_t length = 0;
    const char* const from = head.data() + at + std::strlen(name);
    std::from_chars(from, head.data() + head.size(), length);
    return length;
  }
  return 0;
}

struct Stream {
  Channel channel;
  std::string in = {}, out = {};  // what was read; what the socket did not take
  int sent = -1;                  // deltas; -1: no answer under way
  int64_t due_us = 0;
  bool wants_write = false;
};

}  // namespace

struct FakeUpstreamFleet::State {
  explicit State(Options given)
      : options(std::move(given)),
        tls(options.tls ? tls_server(*options.tls) : nullptr),
        delta(options.delta_bytes, options.openai_sized),
        per_second(options.per_second),
        deltas(options.deltas) {
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener, generic, size) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, generic, &size) != 0) {
      throw std::runtime_error(std::string("fake upstream fleet: ") + std::strerror(errno));
    }
    port = ntohs(address.sin_port);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    watch(listener, EPOLLIN, EPOLL_CTL_ADD);
    watch(wake, EPOLLIN, EPOLL_CTL_ADD);
  }
  ~State() {
    for (const auto& [fd, stream] : streams) ::close(fd);
    ::close(listener);
    ::close(wake);
    ::close(epoll);
  }

  void watch(int fd, uint32_t events, int operation) {
    epoll_event event{};
    event.events = events;
    event.data.fd = fd;
    epoll_ctl(epoll, operation, fd, &event);
  }

  void set_end() {
    int longest = 0;
    for (const auto& [fd, stream] : streams) longest = std::max(longest, stream.sent);
    deltas = longest + 1;
    end_known = true;
  }

  void run() {
    epoll_event events[256];
    while (!stopping) {
      const int count = epoll_wait(epoll, events, std::size(events), wait_ms());
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listener)
          accept_all();
        else if (fd != wake && streams.count(fd))
          serve(fd, events[i].events);
      }
      if (ending && !end_known) set_end();
      send_due();
    }
  }

  int wait_ms() const {
    if (due.empty()) return 1000;
    const int64_t left_us = due.top().first - monotonic_us();
    return left_us <= 0 ? 0 : static_cast<int>((left_us + 999) / 1000);
  }

  void accept_all() {
    for (int fd; (fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      streams.emplace(fd, Stream{Channel(fd, tls)});
      open = streams.size();
      watch(fd, EPOLLIN, EPOLL_CTL_ADD);
    }
  }

  void drop(int fd) {
    ::close(fd);
    streams.erase(fd);
    open = streams.size();
  }

  void serve(int fd, uint32_t events) {
    if (events & EPOLLOUT && !flush(fd)) return drop(fd);
    const auto found = streams.find(fd);
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    char bytes[16 << 10];
    const ssize_t count = found->second.channel.read(bytes, sizeof bytes);
    if (count == 0 || (count < 0 && errno != EAGAIN)) return drop(fd);
    if (count > 0) found->second.in.append(bytes, static_cast<size_t>(count));
    begin_if_whole(fd);
  }

  void begin_if_whole(int fd) {
    Stream& stream = streams.at(fd);
    if (stream.sent >= 0) return;
    const size_t end = stream.in.find("\r\n\r\n");
    if (end == stream.in.npos) return;
    const size_t total = end + 4 + length_of_body(std::string_view(stream.in).substr(0, end + 2));
    if (stream.in.size() < total) return;
    stream.in.erase(0, total);
    stream.sent = 0;
    ++started;
    const double interval = interval_us();
    const double phase = options.random_phase ? std::uniform_real_distribution<>(0, 1)(random) : 1;
    stream.due_us = monotonic_us() + static_cast<int64_t>(interval * phase);
    stream.out += script::head();
    if (!flush(fd)) return drop(fd);
    due.emplace(stream.due_us, fd);
  }

  double interval_us() const {
    const double rate = per_second;
    return rate > 0 ? 1e6 / rate : 0;
  }

  void send_due() {
    const int64_t now = monotonic_us();
    while (!due.empty() && due.top().first <= now && !stopping) {
      const auto [at, fd] = due.top();
      due.pop();
      const auto found = streams.find(fd);
      if (found == streams.end() || found->second.sent < 0 || found->second.due_us != at) continue;  // of a closed one
      if (per_second > 0) worst_lag = std::max<int64_t>(worst_lag, now - at);
      if (!send_one(fd, found->second)) drop(fd);
    }
  }

  bool send_one(int fd, Stream& stream) {
    if (stream.sent >= deltas) {
      stream.sent = -1;
      ++finished;
      stream.out += script::chunk(script::event(script::finish_payload())) +
                    script::chunk(script::event(script::usage_payload(3, deltas))) + script::chunk(script::done) +
                    script::last_chunk;
      return flush(fd);
    }
    if (per_second <= 0 && stream.wants_write) {  // as fast as the peer reads
      stream.due_us = monotonic_us() + 1000;
      due.emplace(stream.due_us, fd);
      return true;
    }
    ++stream.sent;
    ++sent;
    stream.due_us += static_cast<int64_t>(interval_us());
    due.emplace(stream.due_us, fd);
    delta.append_to(stream.out);
    return stream.wants_write ? stream.out.size() < (8u << 20) : flush(fd);
  }

  // False: the peer is gone.
  bool flush(int fd) {
    Stream& stream = streams.at(fd);
    while (!stream.out.empty()) {
      const ssize_t count = stream.channel.write(stream.out);
      if (count <= 0) {
        if (count == 0 || errno != EAGAIN) return false;
        break;
      }
      stream.out.erase(0, static_cast<size_t>(count));
    }
    const bool wants = !stream.out.empty() && stream.channel.wants_out();
    if (wants != stream.wants_write) watch(fd, EPOLLIN | (wants ? uint32_t{EPOLLOUT} : 0u), EPOLL_CTL_MOD);
    stream.wants_write = wants;
    return true;
  }

  const Options options;
  const TlsContext tls;
  const FleetDelta delta;
  std::atomic<double> per_second;
  std::atomic<int> deltas;
  std::atomic<bool> ending{false}, end_known{false};
  uint16_t port = 0;
  int listener = -1, epoll = -1, wake = -1;
  std::atomic<bool> stopping{false};
  std::atomic<uint64_t> sent{0};
  std::atomic<size_t> open{0}, started{0}, finished{0};
  std::atomic<int64_t> worst_lag{0};
  std::unordered_map<int, Stream> streams;
  using Due = std::pair<int64_t, int>;
  std::priority_queue<Due, std::vector<Due>, std::greater<>> due;
  std::mt19937 random{std::random_device{}()};
};

FakeUpstreamFleet::FakeUpstreamFleet(Options options)
    : state_(std::make_unique<State>(std::move(options))), thread_([this] { state_->run(); }) {}

FakeUpstreamFleet::~FakeUpstreamFleet() {
  state_->stopping = true;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(state_->wake, &one, sizeof one);
  thread_.join();
}

std::string FakeUpstreamFleet::base_url() const {
  return (state_->tls ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port()) + "/v1";
}
void FakeUpstreamFleet::set_per_second(double rate) {
  state_->per_second = rate;
}
uint64_t FakeUpstreamFleet::end_together() {
  state_->ending = true;
  while (!state_->end_known) std::this_thread::yield();
  return static_cast<uint64_t>(state_->deltas.load());
}

uint16_t FakeUpstreamFleet::port() const {
  return state_->port;
}
uint64_t FakeUpstreamFleet::deltas_sent() const {
  return state_->sent;
}
size_t FakeUpstreamFleet::open_connections() const {
  return state_->open;
}
size_t FakeUpstreamFleet::streams_started() const {
  return state_->started;
}
size_t FakeUpstreamFleet::streams_finished() const {
  return state_->finished;
}
int64_t FakeUpstreamFleet::worst_lag_us() const {
  return state_->worst_lag;
}

}  // namespace tokenrelay::support
