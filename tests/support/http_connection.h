// HttpConnection: a raw HTTP/1.1 client on one socket. It sends what it is told, byte for byte, and says exactly how a
// body ended, because the difference between a clean end, a FIN and a reset is what the contract is about.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tests/support/socket.h"

namespace tokenrelay::support {

using Json = nlohmann::json;
using Fields = std::vector<std::pair<std::string, std::string>>;

struct Head {
  int status = 0;
  std::string version, reason;
  Fields fields;
  std::optional<std::string> get(std::string_view name) const;  // the first, any case
  size_t count(std::string_view name) const;
};

// open: more may come. clean: the framing said so. fin: closed in the middle of it. reset: RST. timeout: nothing came.
enum class BodyEnd { open, clean, fin, reset, timeout };
std::string_view name_of(BodyEnd end);
inline std::ostream& operator<<(std::ostream& out, BodyEnd end) {
  return out << name_of(end);
}

struct Request {
  std::string method = "GET", target = "/";
  Fields fields = {};
  std::string body = {};
  std::string version = "HTTP/1.1";
};
// The request's bytes; Host, and Content-Length where there is a body or a POST, unless the fields name them.
std::string bytes_of(const Request& request, uint16_t port);

class HttpConnection {
 public:
  explicit HttpConnection(uint16_t port, int receive_buffer = 0)
      : socket_(Socket::connect(port, receive_buffer)), port_(port) {}

  bool open() const { return socket_.open(); }
  Socket& socket() { return socket_; }
  bool send(std::string_view bytes) { return socket_.send_all(bytes); }
  bool send(const Request& request);

  // The next head, 1xx included. Nothing: the connection ended (see end()) or the deadline passed.
  std::optional<Head> read_head(Deadline deadline = 10s);
  // One step: waits for bytes, decodes, appends. open: call again.
  BodyEnd read_some(std::string& body, Deadline deadline);
  std::string read_body(Deadline deadline = 10s);
  BodyEnd end() const { return end_; }
  // Bytes received and not yet consumed by the framing.
  const std::string& pending() const { return pending_; }
  // True when the peer closes within the deadline without sending anything more.
  bool closes(Deadline deadline);

 private:
  enum class Framing { none, length, chunked, close };
  void set_framing(const Head& head);
  bool take(std::string& body);  // decodes from pending_; true if something was done
  bool take_chunked(std::string& body);

  Socket socket_;
  uint16_t port_;
  std::string pending_, method_ = "GET";
  Framing framing_ = Framing::none;
  uint64_t left_ = 0;
  bool in_chunk_ = false;
  BodyEnd end_ = BodyEnd::clean;
};

struct Response {
  int status = 0;  // 0: no answer
  Head head;
  std::string body;
  BodyEnd end = BodyEnd::timeout;
  Json json() const { return Json::parse(body, nullptr, false); }
};

// One request on a connection of its own.
Response fetch(uint16_t port, const Request& request, Deadline deadline = 10s);

}  // namespace tokenrelay::support
