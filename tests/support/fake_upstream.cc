#include "tests/support/fake_upstream.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>

namespace tokenrelay::support {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int poll_ms = 20;  // how often a blocked thread looks whether it should stop

// Case-insensitive search for "\nname:" in a head; its number, or 0.
size_t content_length(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  const size_t at = head.find("\ncontent-length:");
  return at == head.npos ? 0 : std::stoul(head.substr(at + 16));
}

int listen_on_loopback(uint16_t& port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (fd < 0 || bind(fd, generic, size) != 0 || listen(fd, 1024) != 0 || getsockname(fd, generic, &size) != 0) {
    throw std::runtime_error(std::string("fake upstream: ") + std::strerror(errno));
  }
  port = ntohs(address.sin_port);
  return fd;
}

}  // namespace

// One accepted connection, on its own thread.
class FakeUpstream::Connection {
 public:
  Connection(FakeUpstream& server, int fd, size_t number) : server_(server), fd_(fd), number_(number) {
    const int on = 1;
    setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  ~Connection() {
    if (fd_ >= 0) ::close(fd_);
    --server_.open_;
  }

  void serve() {
    while (read_request()) {
      Script script;
      {
        const std::lock_guard lock(server_.mutex_);
        script = server_.next_script(server_.requests_[request_]);
      }
      for (const Step& step : script) {
        if (!play(step)) return;
      }
    }
  }

 private:
  bool read_request() {
    size_t end;
    while ((end = buffer_.find("\r\n\r\n")) == buffer_.npos) {
      if (!receive()) return false;
    }
    Request request;
    request.connection = number_;
    request.head = buffer_.substr(0, end + 2);
    const size_t total = end + 4 + content_length("\n" + request.head);
    while (buffer_.size() < total) {
      if (!receive()) return false;
    }
    request.body = buffer_.substr(end + 4, total - end - 4);
    request.at = Clock::now();
    buffer_.erase(0, total);
    const std::lock_guard lock(server_.mutex_);
    request_ = server_.requests_.size();
    has_request_ = true;
    server_.requests_.push_back(std::move(request));
    server_.changed_.notify_all();
    return true;
  }

  // Waits for bytes; false at the peer's end or the server's.
  bool receive() {
    char bytes[16 << 10];
    while (!server_.stopping_) {
      if (!ready(POLLIN, poll_ms)) continue;
      const ssize_t count = recv(fd_, bytes, sizeof bytes, 0);
      if (count <= 0) return peer_closed();
      buffer_.append(bytes, static_cast<size_t>(count));
      return true;
    }
    return false;
  }

  bool ready(short events, int wait_ms) {
    pollfd entry{fd_, events, 0};
    return poll(&entry, 1, wait_ms) > 0;
  }

  bool peer_closed() {
    const std::lock_guard lock(server_.mutex_);
    if (has_request_ && !server_.requests_[request_].closed_by_peer) {
      server_.requests_[request_].closed_by_peer = Clock::now();
    }
    server_.changed_.notify_all();
    return false;
  }

  bool play(const Step& step) {
    switch (step.kind) {
      case Step::Kind::send:
        return send_split(step);
      case Step::Kind::send_endless:
        while (send(step.bytes)) {
        }
        return false;
      case Step::Kind::wait_ms: {
        const auto until = Clock::now() + std::chrono::milliseconds(step.ms);
        return wait_while([&] { return Clock::now() < until; }, static_cast<int>(step.ms));
      }
      case Step::Kind::wait_signal:
        return wait_while([&] { return !server_.signalled(step.bytes); }, 2);
      case Step::Kind::stall:
        return wait_while([] { return true; }, poll_ms);
      case Step::Kind::cut: {
        const linger now{1, 0};
        setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        return false;
      }
      case Step::Kind::close:
        return false;
    }
    return false;
  }

  // Waits while `condition` holds, with an eye on the peer; false if it closed. A pipelined request may come meanwhile.
  template <class Condition>
  bool wait_while(Condition condition, int step_ms) {
    while (condition()) {
      if (server_.stopping_) return false;
      pollfd entry{fd_, POLLRDHUP, 0};
      if (poll(&entry, 1, std::clamp(step_ms, 0, poll_ms)) > 0 && (entry.revents & (POLLRDHUP | POLLHUP | POLLERR))) {
        return peer_closed();
      }
    }
    return true;
  }

  bool send_split(const Step& step) {
    size_t from = 0;
    for (const size_t at : step.splits) {
      if (!send(std::string_view(step.bytes).substr(from, at - from))) return false;
      if (step.ms > 0) std::this_thread::sleep_for(std::chrono::milliseconds(step.ms));
      from = at;
    }
    return send(std::string_view(step.bytes).substr(from));
  }

  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      if (server_.stopping_) return false;
      if (!ready(POLLOUT, poll_ms)) continue;
      const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (count < 0 && errno == EAGAIN) continue;
      if (count < 0) return peer_closed();
      server_.bytes_sent_ += static_cast<uint64_t>(count);
      bytes.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }

  FakeUpstream& server_;
  const int fd_;
  const size_t number_;
  std::string buffer_;
  size_t request_ = 0;
  bool has_request_ = false;
};

FakeUpstream::FakeUpstream() : listener_(listen_on_loopback(port_)), acceptor_([this] { accept_all(); }) {}

FakeUpstream::~FakeUpstream() {
  stopping_ = true;
  acceptor_.join();
  for (std::thread& thread : threads_) thread.join();
  if (listener_ >= 0) ::close(listener_);
}

void FakeUpstream::accept_all() {
  while (!stopping_) {
    pollfd entry{listener_, POLLIN, 0};
    if (poll(&entry, 1, poll_ms) <= 0) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++open_;
    const size_t number = accepted_++;
    threads_.emplace_back([this, fd, number] { Connection(*this, fd, number).serve(); });
  }
}

void FakeUpstream::refuse_connections() {
  // shutdown() alone makes Linux refuse; the descriptor stays until no thread polls it.
  shutdown(listener_, SHUT_RDWR);
  stopping_ = true;
  acceptor_.join();
  ::close(listener_);
  listener_ = -1;
  stopping_ = false;
  acceptor_ = std::thread([] {});
}

Script FakeUpstream::next_script(const Request& request) {
  if (choose_) return choose_(request);
  if (scripts_.empty()) return script::silent();
  Script script = scripts_.front();
  if (scripts_.size() > 1) scripts_.pop_front();
  return script;
}

void FakeUpstream::answer(Script script) {
  const std::lock_guard lock(mutex_);
  scripts_.push_back(std::move(script));
}

void FakeUpstream::answer_with(std::function<Script(const Request&)> choose) {
  const std::lock_guard lock(mutex_);
  choose_ = std::move(choose);
}

void FakeUpstream::signal(const std::string& name) {
  const std::lock_guard lock(mutex_);
  signals_.insert(name);
}

bool FakeUpstream::signalled(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  return signals_.count(name) > 0;
}

std::vector<FakeUpstream::Request> FakeUpstream::requests() const {
  const std::lock_guard lock(mutex_);
  return requests_;
}

bool FakeUpstream::wait_requests(size_t count, std::chrono::milliseconds within) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, within, [&] { return requests_.size() >= count; });
}

std::optional<FakeUpstream::TimePoint> FakeUpstream::wait_closed(size_t request,
                                                                 std::chrono::milliseconds within) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, within, [&] { return requests_.size() > request && requests_[request].closed_by_peer; });
  return requests_.size() > request ? requests_[request].closed_by_peer : std::nullopt;
}

}  // namespace tokenrelay::support
