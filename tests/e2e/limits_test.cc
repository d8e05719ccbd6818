// Limits of a stream and of the process, and what happens when nobody reads.
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

ModelServer::Answer endless() {
  return [](ModelServer::Call& call) {
    while (call.pause(10ms) && call.text("tick ")) {
    }
  };
}

Json done_of(Relay& relay, const std::string& id) {
  SseConnection reader(relay.port(), events_request(id));
  const auto all = transcript_of(reader.rest());
  CHECK(reader.problems() == Strings{});
  CHECK(all.dones == 1);
  return all.done.value_or(Json::object());
}

}  // namespace

TEST_CASE("a stream that is too long fails as that", "[limits]") {
  ModelServer model([](ModelServer::Call& call) {
    const std::string piece(1000, 'l');
    for (int i = 0; i < 100000 && call.text(piece); ++i) {
    }
    call.wait_closed(10s);
  });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nstream_bytes = 100000\n"});
  const std::string id = relay.create();
  const Json done = done_of(relay, id);
  CHECK(done.at("status") == "failed");
  CHECK(done.at("error").at("code") == "stream_too_long");
  const auto size = relay.state(id).at("text").get<std::string>().size();
  CHECK(size <= 100000);
  CHECK(size >= 80000);
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 20s));
}

TEST_CASE("a stream that takes too long fails as that", "[limits]") {
  ModelServer model(endless());
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nstream_ms = 700\n"});
  const auto began = Clock::now();
  const Json done = done_of(relay, relay.create());
  CHECK(done.at("status") == "failed");
  CHECK(done.at("error").at("code") == "time_limit");
  CHECK(ms_since(began) >= 650);  // and at all: the model would go on for ever
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 20s));
}

TEST_CASE("over the live streams: 503 overloaded, and readers never see one", "[limits]") {
  ModelServer model(endless());
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nlive_streams = 3\n"});
  Strings ids;
  for (int i = 0; i < 3; ++i) ids.push_back(relay.create());
  const auto refused = relay.post("/v1/streams", {{"prompt", "x"}});
  CHECK(refused.status == 503);
  CHECK(refused.json().value("code", "") == "overloaded");
  CHECK(refused.head.get("Retry-After"));
  SseConnection reader(relay.port(), events_request(ids[0]));
  CHECK(reader.head()->status == 200);
  CHECK(fetch(relay.port(), {.method = "DELETE", .target = "/v1/streams/" + ids[0]}).status == 204);
  CHECK(relay.post("/v1/streams", {{"prompt", "x"}}).status == 201);
}

TEST_CASE("streams wait for an upstream slot, in a bounded queue, for a bounded time", "[limits]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    if (call.wait_released()) call.finish();
  });
  Relay relay(
      {.config = "[limits]\nqueued_streams = 2\nqueue_ms = 5000\n[[upstream]]\nkind = \"openai\"\nbase_url = \"" +
                 model.base_url() + "\"\nmax_concurrent = 1\n"});
  const std::string running = relay.create();
  REQUIRE(model.wait_calls(1));
  const std::string next = relay.create(), last = relay.create();
  CHECK(relay.state(next).at("status") == "queued");
  const auto refused = relay.post("/v1/streams", {{"prompt", "x"}});
  CHECK(refused.status == 503);
  CHECK(refused.json().value("code", "") == "overloaded");
  model.release();
  REQUIRE(relay.wait_status(running, "completed"));
  REQUIRE(model.wait_calls(2));
  CHECK(relay.wait_status(next, "streaming", 20s));
  CHECK(relay.wait_status(last, "failed", 20s));
  CHECK(relay.state(last).at("error").at("code").is_string());
  model.release();
  CHECK(relay.wait_status(next, "completed"));
}

TEST_CASE("on_disconnect: continue is the default", "[limits]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    if (call.pause(1200ms)) call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  {
    SseConnection reader(relay.port(), events_request(id));
    REQUIRE(reader.next());
    reader.http().socket().reset();
  }
  CHECK(relay.wait_status(id, "completed", 20s));
}

TEST_CASE("on_disconnect: cancel waits a quarter of a second, so that a reload is not a cancel", "[limits]") {
  ModelServer model(endless());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create({{"prompt", "x"}, {"on_disconnect", "cancel"}});
  CHECK_FALSE(
      wait_until([&] { return relay.state(id).at("status") != "streaming"; }, 700ms));  // nobody came yet: not armed
  for (int reload = 0; reload < 3; ++reload) {
    SseConnection reader(relay.port(), events_request(id));
    REQUIRE(reader.next());
    reader.http().socket().reset();
    const auto left = Clock::now();
    const bool cancelled = wait_until([&] { return relay.state(id).at("status") != "streaming"; }, 100ms);
    if (ms_since(left) >= 250) break;  // the machine was too slow to come back in time
    REQUIRE_FALSE(cancelled);
  }
  CHECK(relay.wait_status(id, "cancelled", 20s));
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 20s));
  CHECK(done_of(relay, id).at("status") == "cancelled");
}

TEST_CASE("on_disconnect: two readers, and the last one counts; HEAD and states do not", "[limits]") {
  ModelServer model(endless());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create({{"prompt", "x"}, {"on_disconnect", "cancel"}});
  SseConnection stays(relay.port(), events_request(id));
  REQUIRE(stays.next());
  {
    SseConnection goes(relay.port(), events_request(id));
    REQUIRE(goes.next());
  }
  CHECK_FALSE(wait_until([&] { return relay.state(id).at("status") != "streaming"; }, 800ms));
  stays.http().socket().reset();
  CHECK(wait_until(
      [&] {
        auto head = events_request(id);
        head.method = "HEAD";
        fetch(relay.port(), head);
        return relay.state(id).at("status") == "cancelled";
      },
      3s, 50ms));
}

TEST_CASE("on_disconnect: cancel_after_ms also counts from creation", "[limits]") {
  ModelServer model(endless());
  Relay relay({.upstream = model.upstream()});
  const Json body = {{"prompt", "x"}, {"on_disconnect", {{"cancel_after_ms", 600}}}};
  const std::string lonely = relay.create(body), read = relay.create(body);
  const auto began = Clock::now();
  SseConnection reader(relay.port(), events_request(read));
  REQUIRE(reader.next());
  CHECK(relay.wait_status(lonely, "cancelled", 20s));
  CHECK(ms_since(began) >= 500);
  CHECK(relay.state(read).at("status") == "streaming");
  reader.http().socket().reset();
  const auto left = Clock::now();
  CHECK(relay.wait_status(read, "cancelled", 20s));
  CHECK(ms_since(left) >= 500);
}
