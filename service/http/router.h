// Router: cpp-httplib as the HTTP layer without its transport. The event loop frames a request strictly and passes it
// on; httplib parses it, matches the route and calls the handler, inline on the loop, through an in-memory
// httplib::Stream.
//
// Promise: dispatch() never blocks and never throws. Unknown path: 404. Known path, other method: 405 with Allow
// (OPTIONS included; CORS preflights are answered before the router is asked). HEAD is served by the GET handler.
#pragma once

#include <memory>
#include <string>

#include "service/http/reply.h"

namespace tokenrelay::http {

class Router {
 public:
  Router();
  ~Router();

  // `pattern` is an ECMAScript regex for the whole path, with one group per parameter, e.g.
  // R"(/v1/streams/([^/]+)/events)"; `name` is the route's name in logs and metrics, e.g. "/v1/streams/{id}/events".
  // Hot routes first; literal where possible.
  void add(std::string method, const std::string& pattern, std::string name, Handler handler);

  // Fills request.captures, request.query and request.route.
  Outcome dispatch(Request& request);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tokenrelay::http
