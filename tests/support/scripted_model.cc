#include "tests/support/scripted_model.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

namespace tokenrelay::support {
namespace {

std::string chunked(std::string_view bytes) {
  char size[24];
  snprintf(size, sizeof size, "%zx\r\n", bytes.size());
  return size + std::string(bytes) + "\r\n";
}

bool readable(int fd, int timeout_ms) {
  pollfd p{fd, POLLIN, 0};
  return poll(&p, 1, timeout_ms) > 0;
}

}  // namespace

ScriptedModel::ScriptedModel(Script script) : script_(std::move(script)) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener_, generic, size) != 0 || listen(listener_, 1024) != 0 ||
      getsockname(listener_, generic, &size) != 0) {
    throw std::runtime_error("the scripted model cannot listen");
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { accept_loop(); });
}

ScriptedModel::~ScriptedModel() {
  stopping_ = true;
  released_.notify_all();
  acceptor_.join();
  for (auto& t : threads_) t.join();
  ::close(listener_);
}

void ScriptedModel::accept_loop() {
  while (!stopping_) {
    if (!readable(listener_, 20)) continue;
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ++open_;
    threads_.emplace_back([this, fd] { serve(fd); });
  }
}

// 1: a request was read. 0: the peer went away, or the server is stopping.
int ScriptedModel::read_request(int fd, std::string& buffer, Json& body, std::string& head) {
  size_t need = std::string::npos;
  for (;;) {
    const auto blank = buffer.find("\r\n\r\n");
    if (blank != std::string::npos && need == std::string::npos) {
      head = buffer.substr(0, blank + 2);
      const auto at = head.find("Content-Length: ");
      need = blank + 4 + (at == std::string::npos ? 0 : std::stoull(head.substr(at + 16)));
    }
    if (need != std::string::npos && buffer.size() >= need) {
      body = Json::parse(buffer.substr(blank + 4, need - blank - 4), nullptr, false);
      buffer.erase(0, need);
      return 1;
    }
    if (stopping_) return 0;
    if (!readable(fd, 20)) continue;
    char bytes[16384];
    const ssize_t n = recv(fd, bytes, sizeof bytes, 0);
    if (n <= 0) return 0;
    buffer.append(bytes, static_cast<size_t>(n));
  }
}

void ScriptedModel::serve(int fd) {
  std::string buffer, head;
  Json body;
  bool closed = false;
  while (!closed && read_request(fd, buffer, body, head) == 1) {
    int number = 0;
    {
      std::lock_guard lock(mutex_);
      number = static_cast<int>(seen_.size());
      seen_.push_back({head, body, Clock::now(), {}});
    }
    Call call(*this, fd, number, body);
    script_(call);
    closed = call.closed();
    if (!closed && !call.ended()) {
      ::close(fd);
      closed = true;
    }
  }
  if (!closed) ::close(fd);
  --open_;
}

void ScriptedModel::release(int times) {
  std::lock_guard lock(mutex_);
  releases_ += times;
  released_.notify_all();
}

size_t ScriptedModel::calls() const {
  std::lock_guard lock(mutex_);
  return seen_.size();
}

ScriptedModel::Seen ScriptedModel::call(size_t number) const {
  std::lock_guard lock(mutex_);
  return seen_.at(number);
}

bool ScriptedModel::wait_calls(size_t count, Deadline deadline) const {
  return wait_until([&] { return calls() >= count; }, deadline);
}

std::vector<std::pair<std::string, TimePoint>> ScriptedModel::sent() const {
  std::lock_guard lock(mutex_);
  return sent_;
}

std::string ScriptedModel::Call::prompt() const {
  if (!request_.is_object() || !request_.contains("messages") || request_["messages"].empty()) return "";
  const Json& content = request_["messages"].back()["content"];
  return content.is_string() ? content.get<std::string>() : content.dump();
}

bool ScriptedModel::Call::raw(std::string_view bytes) {
  while (!closed_ && !bytes.empty()) {
    const ssize_t n = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return !closed_;
}

bool ScriptedModel::Call::head(int status, const std::string& content_type, const Fields& more) {
  head_sent_ = true;
  std::string out = "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: " + content_type + "\r\n";
  for (const auto& [name, value] : more) out += name + ": " + value + "\r\n";
  return raw(out + "Transfer-Encoding: chunked\r\n\r\n");
}

bool ScriptedModel::Call::send(std::string_view bytes) {
  if (!head_sent_ && !head()) return false;
  return raw(chunked(bytes));
}

bool ScriptedModel::Call::send_split(std::string_view bytes, size_t piece) {
  for (size_t at = 0; at < bytes.size(); at += piece) {
    if (!send(bytes.substr(at, piece))) return false;
  }
  return true;
}

bool ScriptedModel::Call::chunk(const Json& delta, const Json& finish_reason, const Json& usage) {
  Json whole = {{"id", "chatcmpl-1"},
                {"object", "chat.completion.chunk"},
                {"created", 1},
                {"model", "m"},
                {"choices", Json::array({{{"index", 0}, {"delta", delta}, {"finish_reason", finish_reason}}})}};
  if (!usage.is_null()) whole["choices"] = Json::array(), whole["usage"] = usage;
  return send("data: " + whole.dump() + "\n\n");
}

bool ScriptedModel::Call::text(std::string_view delta) {
  if (!head_sent_ && !head()) return false;
  {
    std::lock_guard lock(server_.mutex_);
    server_.sent_.emplace_back(delta, Clock::now());
  }
  return chunk({{"content", delta}});
}

void ScriptedModel::Call::finish(const std::string& reason) {
  chunk(Json::object(), reason);
  chunk({}, nullptr, {{"prompt_tokens", 3}, {"completion_tokens", 2}, {"total_tokens", 5}});
  send("data: [DONE]\n\n");
  end();
}

void ScriptedModel::Call::end() {
  raw("0\r\n\r\n");
  ended_ = true;
}

void ScriptedModel::Call::close_early() {
  if (!closed_) ::close(fd_);
  closed_ = true;
}

void ScriptedModel::Call::cut() {
  const linger hard{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close_early();
}

void ScriptedModel::Call::refuse(int status, const std::string& body, const Fields& more) {
  std::string out = "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: application/json\r\n";
  for (const auto& [name, value] : more) out += name + ": " + value + "\r\n";
  raw(out + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  ended_ = true;
}

bool ScriptedModel::Call::peer_is_gone() {
  char byte;
  if (!readable(fd_, 0)) return false;
  if (recv(fd_, &byte, 1, MSG_PEEK) > 0) return false;
  std::lock_guard lock(server_.mutex_);
  auto& seen = server_.seen_[static_cast<size_t>(number_)];
  if (!seen.peer_closed) seen.peer_closed = Clock::now();
  return true;
}

bool ScriptedModel::Call::wait_released() {
  for (;;) {
    {
      std::unique_lock lock(server_.mutex_);
      server_.released_.wait_for(lock, 5ms, [&] { return server_.releases_ > 0 || server_.stopping_; });
      if (server_.stopping_) return false;
      if (server_.releases_ > 0) {
        --server_.releases_;
        return true;
      }
    }
    if (peer_is_gone()) return false;
  }
}

bool ScriptedModel::Call::wait_closed(Deadline deadline) {
  return wait_until([&] { return server_.stopping_ || peer_is_gone(); }, deadline) && !server_.stopping_;
}

bool ScriptedModel::Call::pause(milliseconds time) {
  return !wait_until([&] { return server_.stopping_ || peer_is_gone(); }, time, time < 5ms ? time : 5ms);
}

}  // namespace tokenrelay::support
