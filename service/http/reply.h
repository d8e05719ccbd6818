// What a handler answers: a whole reply, or a take-over of the connection (a stream, an upgrade); now, or from a
// coroutine.
#pragma once

// clang-format off
#include <functional>
#include <asio/awaitable.hpp>  // after a standard header: see asio_impl.cc
// clang-format on
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "service/http/request.h"
#include "service/transport/socket.h"

namespace tokenrelay::http {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct Reply {
  int status = 200;
  HeaderList headers;  // Content-Length, Date-free; Request-Id and CORS are added by the connection
  std::string body;
  std::string content_type;              // "" when there is no body
  bool close = false;                    // end the connection afterwards
  std::shared_ptr<void> held = nullptr;  // let go once the body has left for the kernel, or the connection is over
};

// A connection that a handler has taken over. Whoever holds it owns the socket.
struct TakenConnection {
  transport::Socket socket;
  std::string unread;  // bytes that arrived after the request (a pipelined one); at most 16 KiB
  HeaderList head;     // what every reply on this request carries: Request-Id, CORS
  std::string request_id;
  bool http10 = false;
  bool keep_alive = true;
  bool head_only = false;  // the request was HEAD: answer the headers and nothing else
  // Gives the connection back after a complete response, to serve the next request (keep-alive), or closes it.
  std::function<void(transport::Socket, std::string unread)> resume;
  // Must be called exactly once when the connection has ended otherwise (cut, peer gone): it frees its place.
  std::function<void()> ended;
  // Writes the request's line in the log and its metrics; call once, when the status is known or at the end.
  std::function<void(int status)> log;
};

using Takeover = std::function<void(TakenConnection)>;
using Answer = std::variant<Reply, Takeover>;

// A handler answers at once or names a coroutine that will. The Request outlives the coroutine.
using Outcome = std::variant<Reply, Takeover, asio::awaitable<Answer>>;
using Handler = std::function<Outcome(const Request&)>;

}  // namespace tokenrelay::http
