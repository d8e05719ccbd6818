// Requests as bytes, and what a server answers to them.
#pragma once

#include <string>

#include "tests/http/server_fixture.h"
#include "tests/support/http_connection.h"

namespace tokenrelay::http {

inline const std::string host = "Host: 127.0.0.1\r\n";

inline std::string get(const std::string& target, const std::string& headers = "") {
  return "GET " + target + " HTTP/1.1\r\n" + host + headers + "\r\n";
}

inline std::string post(const std::string& target, const std::string& body, const std::string& headers = "") {
  return "POST " + target + " HTTP/1.1\r\n" + host + headers + "Content-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

struct Got {
  support::Head head;
  std::string body;
  support::BodyEnd end = support::BodyEnd::timeout;
};

inline Got read(support::HttpConnection& connection) {
  using namespace std::chrono_literals;
  Got got;
  auto head = connection.read_head(5s);
  if (!head) return got;
  got.head = *head;
  got.body = connection.read_body(10s);
  got.end = connection.end();
  return got;
}

inline Got ask(TestServer& server, const std::string& bytes) {
  support::HttpConnection connection(server.port());
  connection.send(bytes);
  return read(connection);
}

inline bool closed(support::HttpConnection& connection) {
  return connection.closes(std::chrono::seconds(5));
}

}  // namespace tokenrelay::http
