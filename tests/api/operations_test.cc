#include "service/api/api.h"
#include "service/http/router.h"
#include "tests/contract/log_status.h"
#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::api;
using storage::LogState;

namespace {

struct Operated : relay::RelayFixture {
  Settings settings;
  Api api{*shard,
          metrics,
          time.loop,
          random(),
          [this]() -> const Settings& { return settings; },
          {},
          WholeReads(time.loop, [] { return 1 << 20; }),
          Readers(time.loop)};
  http::Router router;

  Operated() { add_operation_routes(router, api); }
  http::Reply get(const std::string& path, const std::string& method = "GET") {
    http::Request request;
    request.method = method;
    request.path = path;
    return std::get<http::Reply>(router.dispatch(request));
  }
  std::pair<int, std::string> ready() {
    auto reply = get("/readyz");
    return {reply.status, reply.body};
  }
};

using Said = std::pair<int, std::string>;

}  // namespace

TEST_CASE("healthz: the process lives, whatever else is wrong", "[operations]") {
  Operated f;
  CHECK(f.get("/healthz").status == 200);
  f.log->set_state(LogState::failed);
  f.shard->drain(1'000, [] {});
  CHECK(f.get("/healthz").status == 200);
}

TEST_CASE("readyz: not while draining, nor with a log that cannot commit, nor with a slow commit", "[operations]") {
  Operated f;
  CHECK(f.ready() == Said{200, "ready\n"});
  checked(f.log->status());
  f.log->stalled_ms = storage::slow_commit_ms + 1;  // a commit hangs
  checked(f.log->status());
  CHECK(f.ready() == Said{503, "log_slow\n"});
  f.log->stalled_ms = 0;
  f.log->set_state(LogState::stalled);
  checked(f.log->status());
  CHECK(f.ready() == Said{503, "log_unavailable\n"});
  f.log->set_state(LogState::healthy);
  CHECK(f.ready() == Said{200, "ready\n"});
  f.shard->drain(1'000, [] {});
  CHECK(f.ready() == Said{503, "draining\n"});
}

TEST_CASE("metrics in Prometheus' text format, and only by GET", "[operations]") {
  Operated f;
  const auto stream = f.stream();
  const auto reply = f.get("/metrics");
  CHECK(reply.status == 200);
  CHECK(reply.content_type.rfind("text/plain; version=0.0.4", 0) == 0);
  CHECK(reply.body.find("# HELP ") != std::string::npos);
  CHECK(reply.body.find(stream->id()) == std::string::npos);  // no id in a label
  CHECK(f.get("/metrics", "POST").status == 405);
}
