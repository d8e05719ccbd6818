// Which requests are let in by the name that they are addressed to (DNS rebinding), and by the site of the page that
// sent them (cross-site requests and WebSockets). Decided before a request is routed; PROTOCOL.md, Browsers.
#pragma once

#include <optional>
#include <string>

#include "service/http/origin.h"
#include "service/http/reply.h"
#include "service/http/request.h"
#include "service/http/server.h"

namespace tokenrelay::http {

// How a request reached us.
struct Arrival {
  std::string peer;  // the address at the other end of the connection
  bool loopback = false;
  bool tls = false;
};

// The relay's origin as the client sees it: X-Forwarded-Proto and -Host of a trusted proxy, else the connection and
// Host. nullopt: the request names no host, or not a valid one.
std::optional<Origin> own_origin(const Request& request, const Arrival& arrival, const ServerOptions& options);

// 421 unless every name that the request is addressed to is one of ours: `hosts`, and on a loopback listener those of
// loopback. A proxy's X-Forwarded-Host counts beside Host, not in its place: a proxy may pass on what a client made up.
std::optional<Reply> refuse_host(const Request& request, const Arrival& arrival, const ServerOptions& options);

// 403 for an unsafe request or a WebSocket that another site's page has sent. What no browser sent is let in.
std::optional<Reply> refuse_cross_site(const Request& request, const Arrival& arrival, const std::optional<Origin>& own,
                                       const ServerOptions& options);

}  // namespace tokenrelay::http
