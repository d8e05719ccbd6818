// For operators and load balancers: /metrics, /healthz, /readyz.
#include "service/api/api.h"
#include "service/json/parse.h"

namespace tokenrelay::api {
namespace {

using http::Reply;
using http::Request;

// Why no new work should be sent to this relay, or "".
std::string_view not_ready(Api& api) {
  if (api.shard.draining()) return "draining";
  const auto status = api.shard.log().status();
  if (status.state != storage::LogState::healthy) return "log_unavailable";
  return status.stalled_ms > 0 ? "log_slow" : "";
}

Reply text(int status, std::string body) {
  return Reply{status, {{"Cache-Control", "no-store"}}, std::move(body), "text/plain; charset=utf-8"};
}

}  // namespace

void add_operation_routes(http::Router& router, Api& api) {
  router.add("GET", "/healthz", "/healthz", [](const Request&) -> http::Outcome { return text(200, "ok\n"); });
  router.add("GET", "/readyz", "/readyz", [&api](const Request&) -> http::Outcome {
    const auto why = not_ready(api);
    return why.empty() ? text(200, "ready\n") : text(503, std::string(why) + "\n");
  });
  router.add("GET", "/metrics", "/metrics", [&api](const Request&) -> http::Outcome {
    return Reply{
        200, {{"Cache-Control", "no-store"}}, api.metrics.exposition(), std::string(metrics::Metrics::content_type)};
  });
}

}  // namespace tokenrelay::api
