// Server: what happens to a connection between accept and close. Frames requests strictly, applies limits and browser
// rules (Host, cross-site, CORS), routes, awaits the answer, writes it, and goes on with the next request.
//
// Threads: loop thread. Bounds: ServerOptions.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "service/http/router.h"
#include "service/transport/listener.h"
#include "service/transport/loop.h"

namespace tokenrelay::http {

struct ServerOptions {
  size_t head_bytes = 16 << 10;              // request head; 431
  size_t line_bytes = 8 << 10;               // one line of it; 431
  size_t path_bytes = 1 << 10;               // 414
  size_t headers = 64;                       // 431
  int64_t head_ms = 10'000;                  // the whole head, from the first byte (or accept)
  size_t body_bytes = 10 << 20;              // 413, decoded size
  size_t bodies_bytes = 256 << 20;           // all request bodies together; beyond it a request with a body is 503
  int64_t body_ms = 30'000;                  // the whole body
  int64_t keep_alive_ms = 75'000;            // idle between requests
  int64_t write_stall_ms = 60'000;           // a peer that takes no byte for this long while data is due is cut
  std::vector<std::string> cors_origins;     // exact origins, or "*"
  std::vector<std::string> trusted_proxies;  // addresses or CIDR whose X-Forwarded-For, -Proto and -Host are trusted
  std::vector<std::string> hosts;            // names that it answers to, without port, or "*"; access.h
  std::vector<std::string> public_origins;   // its own, beside scheme and Host of a request
  std::vector<std::string> any_host_paths;   // answer to any Host: health checks ask by address
  // For the paths of other protocols: extra headers on every answer, and their shape of an error.
  std::function<void(const Request&, HeaderList&)> add_headers;
  std::function<void(const Request&, Reply&)> shape_error;  // given application/problem+json
  // A connection is closed because of a limit or a broken request: framing, too_large, timeout, uploads, write_stall.
  std::function<void(std::string_view reason)> refused;
  bool check_host = true;  // a foreign Host is 421 (DNS rebinding)
};

// One request, for the log line and the metrics. The path has no query, so cursors and tokens stay out of logs.
struct RequestRecord {
  std::string method, path, route, request_id, client_address;
  int status = 0;
  int64_t duration_us = 0;
};

class Server {
 public:
  // `options` is called for each request, so that a reload applies to later ones. `log` gets each request once.
  Server(transport::Loop& loop, Router& router, std::function<const ServerOptions&()> options,
         std::function<void(const RequestRecord&)> log, std::function<std::string()> draw_request_id);
  ~Server();

  // Serves a new connection. `ended` is called exactly once, when it is over (also if it was taken over); never if a
  // taken connection outlives the server.
  void serve(transport::Socket socket, bool loopback_listener, std::function<void()> ended);

  // Drain: closes idle connections now, the others after their current response (Connection: close on plain
  // replies).
  void drain();

  size_t connections() const;

  struct State;  // connection.h: only for this folder

 private:
  std::shared_ptr<State> state_;
};

}  // namespace tokenrelay::http
