#include "tests/bench/floor_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <iterator>
#include <map>

#include "tests/bench/machine.h"
#include "tests/support/fleet_delta.h"
#include "tests/support/model_script.h"

namespace tokenrelay::bench {
namespace {

using support::monotonic_us;

// What the relay sends, byte for byte in length.
std::string event(int seq, std::string_view rest) {
  return support::script::chunk("id: 0123456789abcdef-" + std::to_string(seq) + "\n" + std::string(rest) + "\n\n");
}

class Floor {
 public:
  Floor(double per_second, int deltas) : interval_us_(1e6 / per_second), deltas_(deltas) {}

  int run() {
    if (!listen_and_say()) return 1;
    epoll_event events[512];
    for (;;) {
      const int count = epoll_wait(epoll_, events, std::size(events), wait_ms());
      for (int i = 0; i < count; ++i) {
        const int fd = events[i].data.fd;
        if (fd == listener_) {
          accept_all();
        } else if ((events[i].events & EPOLLOUT) != 0) {
          finish(fd);
        } else {
          serve(fd);
        }
      }
      if (begun_us_ > 0 && sent_ <= deltas_ && monotonic_us() >= due_us()) tick();
    }
  }

 private:
  bool listen_and_say() {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(listener_, generic, size) != 0 || listen(listener_, 4096) != 0 ||
        getsockname(listener_, generic, &size) != 0)
      return false;
    watch(listener_);
    std::printf("floor on http://127.0.0.1:%d\n", ntohs(address.sin_port));
    std::fflush(stdout);
    return true;
  }
  void watch(int fd, uint32_t events = EPOLLIN, int operation = EPOLL_CTL_ADD) {
    epoll_event wanted{};
    wanted.events = events;
    wanted.data.fd = fd;
    epoll_ctl(epoll_, operation, fd, &wanted);
  }
  int64_t due_us() const { return begun_us_ + static_cast<int64_t>(interval_us_ * sent_); }
  int wait_ms() const {
    if (begun_us_ == 0 || sent_ > deltas_) return -1;
    return static_cast<int>(std::max<int64_t>(0, due_us() - monotonic_us() + 999) / 1000);
  }
  void accept_all() {
    for (int fd; (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      watch(fd);
    }
  }
  void serve(int fd) {
    char bytes[4096];
    const ssize_t got = recv(fd, bytes, sizeof bytes, 0);
    if (got <= 0) {
      readers_.erase(fd);
      close(fd);
    } else if (bytes[0] == 'P') {
      send_to(fd, "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n");
      begun_us_ = monotonic_us();
    } else {
      readers_.emplace(fd, "");
      send_to(fd,
              support::script::head() + support::script::chunk("event: resumed\ndata: {\"verdict\":\"start\"}\n\n"));
    }
  }
  void finish(int fd) {
    std::string& unsent = readers_.at(fd);
    unsent.erase(0, send_to(fd, unsent));
    if (unsent.empty()) watch(fd, EPOLLIN, EPOLL_CTL_MOD);
  }
  void tick() {
    char stamp[support::stamp_digits];
    support::write_stamp(stamp, monotonic_us());
    const bool last = sent_ == deltas_;
    ++sent_;
    std::string bytes =
        last ? event(sent_, "event: done\ndata: {\"finish_reason\":\"stop\"}") + support::script::last_chunk
             : event(sent_, "data: {\"delta\":\"" + std::string(stamp, sizeof stamp) + "\"}");
    for (auto& [fd, unsent] : readers_) {
      if (unsent.empty()) {
        unsent = bytes.substr(send_to(fd, bytes));
      } else {  // it lags: with the next event, or at the end when it takes some
        unsent += bytes;
        unsent.erase(0, send_to(fd, unsent));
      }
      if (last && !unsent.empty()) watch(fd, EPOLLOUT, EPOLL_CTL_MOD);
    }
  }
  size_t send_to(int fd, std::string_view bytes) {
    const ssize_t count = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return count > 0 ? static_cast<size_t>(count) : 0;
  }

  const double interval_us_;
  const int deltas_;
  const int epoll_ = epoll_create1(EPOLL_CLOEXEC);
  int listener_ = -1, sent_ = 0;
  int64_t begun_us_ = 0;
  std::map<int, std::string> readers_;
};

}  // namespace

int serve_floor(double per_second, int deltas) {
  raise_descriptor_limit();
  return Floor(per_second, deltas).run();
}

FloorServer::FloorServer(const Setting& setting, double per_second, int deltas) : directory_(setting.directory) {
  const auto out = directory_ / "stdout", err = directory_ / "stderr";
  process_ = start_on_server_core(
      setting, {.argv = {"/proc/self/exe", "floor", std::to_string(per_second), std::to_string(deltas)},
                .stdout_file = out,
                .stderr_file = err});
  port_ = announced_port(*process_, out, err, "floor on http://127.0.0.1:");
}

}  // namespace tokenrelay::bench
