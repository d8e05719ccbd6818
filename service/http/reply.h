// What a handler answers, at once or from a coroutine: a whole reply, or a take-over of the connection (a stream, an
// upgrade).
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
  HeaderList headers;  // the connection adds Content-Length, Date, Request-Id and CORS
  std::string body;
  std::string content_type;              // "" when there is no body
  bool close = false;                    // end the connection afterwards
  std::shared_ptr<void> held = nullptr;  // released once the kernel has taken the body, or the connection is over
};

// A connection that a handler has taken over. It owns the socket.
struct TakenConnection {
  transport::Socket socket;
  std::string unread;  // bytes that arrived after the request (a pipelined one); at most 16 KiB
  HeaderList head;     // what every reply on this request carries: Request-Id, CORS
  std::string request_id;
  bool http10 = false;
  bool keep_alive = true;
  bool head_only = false;  // the request was HEAD: answer the headers and nothing else
  // Gives the connection back after a complete response: it serves the next request (keep-alive) or closes.
  std::function<void(transport::Socket, std::string unread)> resume;
  // Must be called exactly once if the connection ended in another way (cut, peer gone): it frees the slot.
  std::function<void()> ended;
  // Writes the request's line in the log and its metrics; call once, when the status is known or at the end.
  std::function<void(int status)> log;
};

using Takeover = std::function<void(TakenConnection)>;
using Answer = std::variant<Reply, Takeover>;

// A handler answers at once or returns a coroutine that will. The Request outlives the coroutine.
using Outcome = std::variant<Reply, Takeover, asio::awaitable<Answer>>;
using Handler = std::function<Outcome(const Request&)>;

}  // namespace tokenrelay::http
