#include "service/transport/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <asio/io_context.hpp>
#include <asio/posix/basic_stream_descriptor.hpp>
#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

#include "service/transport/loop.h"

namespace tokenrelay::transport {
namespace {

constexpr int backlog = 4096;
constexpr int batch = 64;          // accepts per turn, so that a storm of connections does not starve the others
constexpr int64_t pause_ms = 100;  // out of descriptors: try again after this
constexpr int patience = 10;       // after this many pauses, refuse the waiting clients
constexpr int shed_batch = 64;

[[noreturn]] void refuse(int code, const std::string& what) {
  throw std::system_error(code, std::generic_category(), what);
}

struct AddrInfo {
  addrinfo* list = nullptr;
  ~AddrInfo() {
    if (list != nullptr) freeaddrinfo(list);
  }
};

std::pair<std::string, std::string> split(const std::string& address) {
  size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon + 1 == address.size())
    refuse(EINVAL, "listen address is not HOST:PORT: " + address);
  std::string host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string::npos) {
    refuse(EINVAL, "an IPv6 listen address must be in brackets: " + address);
  }
  std::string port = address.substr(colon + 1);
  if (port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos || std::stoi(port) > 65535) {
    refuse(EINVAL, "listen address has no valid port: " + address);
  }
  return {host, port};
}

int open_bound(const std::string& address) {
  auto [host, port] = split(address);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  AddrInfo found;
  if (int code = getaddrinfo(host.empty() ? nullptr : host.c_str(), port.c_str(), &hints, &found.list); code != 0) {
    refuse(EADDRNOTAVAIL, "listen address " + address + ": " + gai_strerror(code));
  }
  int error = EADDRNOTAVAIL;
  for (addrinfo* at = found.list; at != nullptr; at = at->ai_next) {
    int descriptor = ::socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) {
      error = errno;
      continue;
    }
    int on = 1;
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (::bind(descriptor, at->ai_addr, at->ai_addrlen) == 0) return descriptor;
    error = errno;
    ::close(descriptor);
  }
  refuse(error, "cannot listen on " + address);
}

int open_spare() {
  return ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

bool out_of_descriptors(int error) {
  return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

}  // namespace

struct Listener::State : std::enable_shared_from_this<Listener::State> {
  using Descriptor = asio::posix::basic_stream_descriptor<asio::io_context::executor_type>;

  Loop& loop;
  size_t max_connections;
  Accepted accepted;
  std::function<void(std::string_view)> refused = [](std::string_view) {};
  Descriptor io;
  Timer retry;
  int spare = open_spare();
  size_t open = 0;
  bool waiting = false;
  bool started = false;
  int starved = 0;  // pauses in a row
  uint16_t port = 0;
  std::string host;
  bool loopback = false;

  State(Loop& owner, size_t max, Accepted call)
      : loop(owner),
        max_connections(max),
        accepted(std::move(call)),
        io(owner.context()),
        retry(owner.timers(), [this] {
          const auto keep = shared_from_this();  // what is called may destroy the listener
          accept_some();
        }) {}

  ~State() {
    if (spare >= 0) ::close(spare);
  }

  void bind(const std::string& address) {
    io.assign(open_bound(address));
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getsockname(io.native_handle(), reinterpret_cast<sockaddr*>(&storage), &size) != 0)
      refuse(errno, "getsockname");
    char text[INET6_ADDRSTRLEN] = "";
    if (storage.ss_family == AF_INET6) {
      auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
      inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof text);
      port = ntohs(v6->sin6_port);
      loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
    } else {
      auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
      inet_ntop(AF_INET, &v4->sin_addr, text, sizeof text);
      port = ntohs(v4->sin_port);
      loopback = (ntohl(v4->sin_addr.s_addr) >> 24) == 127;
    }
    host = text;
  }

  void wait() {
    if (waiting || !io.is_open() || !started) return;
    waiting = true;
    io.async_wait(Descriptor::wait_read, [self = shared_from_this()](const std::error_code& error) {
      self->waiting = false;
      if (!error) self->accept_some();
    });
  }

  void accept_some() {
    for (int i = 0; i < batch; ++i) {
      if (!io.is_open()) return;
      int descriptor = ::accept4(io.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor < 0) {
        if (errno == EINTR || errno == ECONNABORTED || errno == EPROTO) continue;
        if (out_of_descriptors(errno)) return pause();
        break;
      }
      starved = 0;
      open < max_connections ? hand_over(descriptor) : refuse_connection(descriptor, "limit");
    }
    wait();
  }

  // By a reset: a client left in the backlog would wait without knowing why.
  void refuse_connection(int descriptor, std::string_view reason) const {
    refused(reason);
    const linger reset{1, 0};
    (void)::setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    ::close(descriptor);
  }

  void hand_over(int descriptor) {
    Socket socket(loop, descriptor);
    if (!socket.is_open()) return;
    ++open;
    auto keep = shared_from_this();  // the callback may destroy the listener
    accepted(std::move(socket));
  }

  void pause() {
    if (++starved > patience) shed();
    retry.arm(pause_ms);
  }

  // Frees the spare descriptor for a moment, to accept waiting clients and refuse them.
  void shed() {
    for (int i = 0; i < shed_batch && spare >= 0; ++i) {
      ::close(std::exchange(spare, -1));
      int descriptor = ::accept4(io.native_handle(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
      if (descriptor >= 0) refuse_connection(descriptor, "descriptors");
      spare = open_spare();
      if (descriptor < 0) break;
    }
    if (spare < 0) spare = open_spare();
  }

  void resume() {
    if (!started || !io.is_open()) return;
    starved = 0;
    retry.cancel();
    wait();
  }
};

Listener::Listener(Loop& loop, const std::string& address, size_t max_connections, Accepted accepted)
    : state_(std::make_shared<State>(loop, max_connections, std::move(accepted))) {
  state_->bind(address);
}

Listener::~Listener() {
  stop();
}

void Listener::when_refused(std::function<void(std::string_view)> call) {
  state_->refused = std::move(call);
}

void Listener::start() {
  if (::listen(state_->io.native_handle(), backlog) != 0) {
    refuse(errno, "cannot listen on " + state_->host + ":" + std::to_string(state_->port));
  }
  state_->started = true;
  state_->wait();
}

void Listener::stop() {
  state_->retry.cancel();
  std::error_code ignored;
  state_->io.close(ignored);
}

void Listener::closed() {
  if (state_->open > 0) --state_->open;
  state_->resume();
}

size_t Listener::open_connections() const {
  return state_->open;
}
uint16_t Listener::port() const {
  return state_->port;
}
std::string Listener::host() const {
  return state_->host;
}
bool Listener::loopback() const {
  return state_->loopback;
}

}  // namespace tokenrelay::transport
