#include "tests/support/model_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>

namespace tokenrelay::support {
namespace {

constexpr int poll_ms = 20;  // how often a blocked thread looks whether it should stop

bool ready(int fd, short events, int within_ms) {
  pollfd entry{fd, events, 0};
  return poll(&entry, 1, within_ms) > 0;
}

// Of a head that begins with its request line, the names in any case; 0 without one.
size_t content_length(std::string head) {
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  const size_t at = head.find("\ncontent-length:");
  return at == head.npos ? 0 : std::stoul(head.substr(at + 16));
}

}  // namespace

ModelServer::ModelServer() {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 1024) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("the model server cannot listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_all(); });
}

ModelServer::~ModelServer() {
  stopping_ = true;
  changed_.notify_all();
  acceptor_.join();
  for (auto& t : threads_) t.join();
  ::close(listener_);
}

void ModelServer::accept_all() {
  while (!stopping_) {
    if (!ready(listener_, POLLIN, poll_ms)) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0 && errno == EINVAL) return;  // refuse_connections()
    if (fd < 0) continue;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++open_;
    threads_.emplace_back([this, fd, connection = accepted_++] { serve(fd, connection); });
  }
}

void ModelServer::refuse_connections() {
  shutdown(listener_, SHUT_RDWR);  // Linux then refuses; the descriptor stays until no thread polls it
}

void ModelServer::serve(int fd, size_t connection) {
  std::string buffer;
  std::optional<size_t> number;
  bool closed = false;
  while (!closed) {
    Seen seen;
    seen.connection = connection;
    if (!read_request(fd, buffer, seen)) {
      if (number && !stopping_) peer_closed(*number);
      break;
    }
    Answer answer;
    {
      std::lock_guard lock(mutex_);
      number = seen_.size();
      seen_.push_back(seen);
      answer = next_answer();
      changed_.notify_all();
    }
    Call call(*this, fd, *number, std::move(seen));
    answer(call);
    if (!call.ended()) call.close();
    closed = call.closed();
  }
  if (!closed) ::close(fd);
  --open_;
}

// False: the peer went away, or the server is stopping.
bool ModelServer::read_request(int fd, std::string& buffer, Seen& seen) {
  size_t blank;
  while ((blank = buffer.find("\r\n\r\n")) == buffer.npos) {
    if (!receive(fd, buffer)) return false;
  }
  seen.head = buffer.substr(0, blank + 2);
  const size_t total = blank + 4 + content_length(seen.head);
  while (buffer.size() < total) {
    if (!receive(fd, buffer)) return false;
  }
  seen.body = buffer.substr(blank + 4, total - blank - 4);
  seen.request = Json::parse(seen.body, nullptr, false);
  seen.at = Clock::now();
  buffer.erase(0, total);
  return true;
}

bool ModelServer::receive(int fd, std::string& buffer) {
  char bytes[16 << 10];
  while (!stopping_) {
    if (!ready(fd, POLLIN, poll_ms)) continue;
    const ssize_t count = recv(fd, bytes, sizeof bytes, 0);
    if (count <= 0) return false;
    buffer.append(bytes, static_cast<size_t>(count));
    return true;
  }
  return false;
}

ModelServer::Answer ModelServer::next_answer() {
  if (answers_.empty()) return [](Call& call) { call.play(script::silent()); };
  Answer answer = answers_.front();
  if (answers_.size() > 1) answers_.pop_front();
  return answer;
}

void ModelServer::peer_closed(size_t number) {
  std::lock_guard lock(mutex_);
  if (!seen_[number].peer_closed) seen_[number].peer_closed = Clock::now();
  changed_.notify_all();
}

void ModelServer::answer(Answer answer) {
  std::lock_guard lock(mutex_);
  answers_.push_back(std::move(answer));
}

void ModelServer::answer(Script script) {
  answer([script = std::move(script)](Call& call) { call.play(script); });
}

void ModelServer::release(int times) {
  std::lock_guard lock(mutex_);
  releases_ += times;
  changed_.notify_all();
}

size_t ModelServer::calls() const {
  std::lock_guard lock(mutex_);
  return seen_.size();
}

ModelServer::Seen ModelServer::call(size_t number) const {
  std::lock_guard lock(mutex_);
  return seen_.at(number);
}

bool ModelServer::wait_calls(size_t count, Deadline deadline) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, deadline.left(), [&] { return seen_.size() >= count; });
}

std::optional<TimePoint> ModelServer::wait_closed(size_t number, Deadline deadline) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, deadline.left(), [&] { return seen_.size() > number && seen_[number].peer_closed; });
  return seen_.size() > number ? seen_[number].peer_closed : std::nullopt;
}

std::vector<std::pair<std::string, TimePoint>> ModelServer::sent() const {
  std::lock_guard lock(mutex_);
  return sent_;
}

std::string ModelServer::Call::prompt() const {
  const Json& body = request();
  if (!body.is_object() || !body.contains("messages") || body["messages"].empty()) return "";
  const Json& content = body["messages"].back()["content"];
  return content.is_string() ? content.get<std::string>() : content.dump();
}

void ModelServer::Call::play(const Script& script) {
  for (const script::Step& step : script) {
    if (!take(step)) return;
  }
  ended_ = true;
}

bool ModelServer::Call::take(const script::Step& step) {
  using Kind = script::Step::Kind;
  const std::string_view bytes = step.bytes;
  size_t from = 0;
  switch (step.kind) {
    case Kind::send:
      for (const size_t at : step.splits) {
        if (!raw(bytes.substr(from, at - from)) || !pause(milliseconds(step.ms))) return false;
        from = at;
      }
      return raw(bytes.substr(from));
    case Kind::send_endless:
      while (raw(bytes)) {
      }
      return false;
    case Kind::pause:
      return pause(milliseconds(step.ms));
    case Kind::stall:
      while (pause(1h)) {
      }
      return false;
    case Kind::cut:
      cut();
      return false;
    case Kind::close:
      close();
      return false;
  }
  return false;
}

bool ModelServer::Call::raw(std::string_view bytes) {
  while (!closed_ && !bytes.empty()) {
    if (server_.stopping_) return false;
    if (!ready(fd_, POLLOUT, poll_ms)) continue;
    const ssize_t count = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (count < 0 && errno == EAGAIN) continue;
    if (count < 0) {
      server_.peer_closed(number_);
      return false;
    }
    server_.bytes_sent_ += static_cast<uint64_t>(count);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return !closed_;
}

bool ModelServer::Call::head(int status, const std::string& content_type, const Fields& more) {
  head_sent_ = true;
  return raw(script::head(status, content_type, script::Framing::chunked, more));
}

bool ModelServer::Call::send(std::string_view bytes) {
  if (!head_sent_ && !head()) return false;
  return raw(script::chunk(bytes));
}

bool ModelServer::Call::send_split(std::string_view bytes, size_t piece) {
  for (size_t at = 0; at < bytes.size(); at += piece) {
    if (!send(bytes.substr(at, piece))) return false;
  }
  return true;
}

bool ModelServer::Call::chunk(const Json& delta, std::string_view finish_reason) {
  return send(script::event(script::delta_payload(delta.dump(), finish_reason)));
}

bool ModelServer::Call::usage(int input_tokens, int output_tokens) {
  return send(script::event(script::usage_payload(input_tokens, output_tokens)));
}

bool ModelServer::Call::text(std::string_view delta) {
  if (!head_sent_ && !head()) return false;
  {
    std::lock_guard lock(server_.mutex_);
    server_.sent_.emplace_back(delta, Clock::now());
  }
  return chunk({{"content", delta}});
}

void ModelServer::Call::finish(std::string_view reason) {
  chunk(Json::object(), reason);
  usage(3, 2);
  send(script::done);
  end();
}

void ModelServer::Call::end() {
  raw(script::last_chunk);
  ended_ = true;
}

void ModelServer::Call::close() {
  if (!closed_) ::close(fd_);
  closed_ = true;
}

void ModelServer::Call::cut() {
  if (closed_) return;
  const linger hard{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void ModelServer::Call::refuse(int status, const std::string& body, const Fields& more) {
  play(script::refusal(status, body, more));
}

// Waits so long at most; the peer may send its next request meanwhile.
bool ModelServer::Call::peer_is_gone(int within_ms) {
  if (closed_) return true;
  pollfd entry{fd_, POLLRDHUP, 0};
  if (poll(&entry, 1, within_ms) <= 0) return false;
  server_.peer_closed(number_);
  return true;
}

bool ModelServer::Call::wait_released() {
  for (;;) {
    {
      std::unique_lock lock(server_.mutex_);
      server_.changed_.wait_for(lock, 5ms, [&] { return server_.releases_ > 0 || server_.stopping_; });
      if (server_.stopping_) return false;
      if (server_.releases_ > 0) {
        --server_.releases_;
        return true;
      }
    }
    if (peer_is_gone(0)) return false;
  }
}

bool ModelServer::Call::wait_closed(Deadline deadline) {
  return !pause(deadline) && !server_.stopping_;
}

bool ModelServer::Call::pause(Deadline until) {
  for (;;) {
    const bool over = until.passed();
    if (server_.stopping_ || peer_is_gone(over ? 0 : std::min(poll_ms, until.left_ms() + 1))) return false;
    if (over) return true;
  }
}

}  // namespace tokenrelay::support
