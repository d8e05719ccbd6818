// Idempotency keys: one key, one body, one generation, whatever happens.
#include <set>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"
#include "tests/support/transcript.h"

using namespace tokenrelay::support;

namespace {

Request keyed(const std::string& key, const std::string& body, bool sse = false) {
  Request request{.method = "POST",
                  .target = "/v1/streams",
                  .fields = {{"Content-Type", "application/json"}, {"Idempotency-Key", key}},
                  .body = body};
  if (sse) request.fields.emplace_back("Accept", "text/event-stream");
  return request;
}

const std::string one_body = R"({"prompt":"hi"})";

ModelServer::Answer answer() {
  return [](ModelServer::Call& call) {
    call.text("Hello");
    call.finish();
  };
}

}  // namespace

TEST_CASE("the same key and body answer the first stream", "[idempotency]") {
  ModelServer model(answer());
  Relay relay({.upstream = model.upstream()});
  const auto first = fetch(relay.port(), keyed("k-1", one_body));
  REQUIRE(first.status == 201);
  const std::string id = first.json().at("id");
  const auto again = fetch(relay.port(), keyed("k-1", one_body));
  CHECK(again.status == 200);
  CHECK(again.json().at("id") == id);
  CHECK(again.head.get("Location") == "/v1/streams/" + id);

  SseConnection joined(relay.port(), keyed("k-1", one_body, true));
  const auto events = joined.rest();
  CHECK(joined.head()->status == 200);
  CHECK(transcript_of(events).text == "Hello");
  CHECK(joined.end() == BodyEnd::clean);

  auto at_cursor = keyed("k-1", one_body, true);
  at_cursor.fields.emplace_back("Last-Event-ID", *events[1].id);
  SseConnection later(relay.port(), at_cursor);
  const auto rest = later.rest();
  REQUIRE(!rest.empty());
  CHECK(rest[0].json().at("verdict") == "exact");
  CHECK(rest.size() == events.size() - 1);

  SECTION("another body is 422, the raw bytes counting") {
    const auto other = fetch(relay.port(), keyed("k-1", R"({"prompt": "hi"})"));
    CHECK(other.status == 422);
    CHECK(other.head.get("Content-Type").value_or("").starts_with("application/problem+json"));
  }
  SECTION("the key survives a kill") {
    REQUIRE(relay.wait_status(id, "completed"));
    relay.kill_now();
    relay.start();
    const auto after = fetch(relay.port(), keyed("k-1", one_body));
    CHECK(after.status == 200);
    CHECK(after.json().at("id") == id);
    CHECK(after.json().at("status") == "completed");
    CHECK(fetch(relay.port(), keyed("k-1", R"({"prompt":"x"})")).status == 422);
  }
  SECTION("the key lives as long as its stream") {
    REQUIRE(relay.wait_status(id, "completed"));
    REQUIRE(fetch(relay.port(), {.method = "DELETE", .target = "/v1/streams/" + id}).status == 204);
    const auto fresh = fetch(relay.port(), keyed("k-1", one_body));
    CHECK(fresh.status == 201);
    CHECK(fresh.json().at("id") != id);
    CHECK(model.wait_calls(2));
    return;
  }
  CHECK(model.calls() == 1);
}

TEST_CASE("concurrent twins wait for the first", "[idempotency]") {
  ModelServer model(answer());
  Relay relay({.upstream = model.upstream()});
  for (int round = 0; round < 10; ++round) {
    const std::string key = "twin-" + std::to_string(round);
    constexpr int twin_count = 8;
    std::vector<Response> answers(twin_count);
    std::vector<std::thread> threads;
    for (int i = 0; i < twin_count; ++i) {
      threads.emplace_back([&, i] { answers[static_cast<size_t>(i)] = fetch(relay.port(), keyed(key, one_body)); });
    }
    for (auto& t : threads) t.join();
    std::set<std::string> ids;
    int created = 0;
    for (const auto& a : answers) {
      CHECK((a.status == 201 || a.status == 200));
      created += a.status == 201 ? 1 : 0;
      ids.insert(a.json().value("id", "?"));
    }
    CHECK(created == 1);
    CHECK(ids.size() == 1);
  }
  CHECK(model.wait_calls(10));
  CHECK(model.calls() == 10);
}

TEST_CASE("a twin that is an event stream joins the first", "[idempotency]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("a");
    if (call.wait_released()) call.text("b"), call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  SseConnection first(relay.port(), keyed("joined", one_body, true)),
      second(relay.port(), keyed("joined", one_body, true));
  REQUIRE(first.head());
  REQUIRE(second.head());
  CHECK(first.head()->get("Location") == second.head()->get("Location"));
  model.release();
  CHECK(transcript_of(first.rest()).text == "ab");
  CHECK(transcript_of(second.rest()).text == "ab");
  CHECK(model.calls() == 1);
}

TEST_CASE("a key is 1 to 255 visible ASCII characters", "[idempotency]") {
  ModelServer model(answer());
  Relay relay({.upstream = model.upstream()});
  CHECK(fetch(relay.port(), keyed(std::string(255, 'k'), one_body)).status == 201);
  CHECK(fetch(relay.port(), keyed(std::string(256, 'k'), one_body)).status == 400);
  CHECK(fetch(relay.port(), keyed("", one_body)).status == 400);
  CHECK(fetch(relay.port(), keyed("two words", one_body)).status == 400);
  CHECK(fetch(relay.port(), keyed("caf\xc3\xa9", one_body)).status == 400);
  REQUIRE(model.wait_calls(1));
  CHECK(model.calls() == 1);
}

TEST_CASE("a refused request does not use the key up", "[idempotency]") {
  ModelServer model(answer());
  Relay relay({.upstream = model.upstream()});
  CHECK(fetch(relay.port(), keyed("k-2", R"({"prompt":5})")).status == 400);
  CHECK(fetch(relay.port(), keyed("k-2", one_body)).status == 201);
}

TEST_CASE("a known key answers its stream though nothing new may start", "[idempotency]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("a");
    if (!call.wait_released()) return;
    call.finish();
  });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nlive_streams = 1\n"});
  const auto first = fetch(relay.port(), keyed("k-1", one_body));
  REQUIRE(first.status == 201);
  const std::string id = first.json().at("id");

  const auto again = fetch(relay.port(), keyed("k-1", one_body));
  CHECK(again.status == 200);
  CHECK(again.json().at("id") == id);
  CHECK(fetch(relay.port(), keyed("k-1", R"({"prompt":"other"})")).status == 422);
  const auto fresh = fetch(relay.port(), keyed("k-2", one_body));
  CHECK(fresh.status == 503);
  CHECK(fresh.json().at("code") == "overloaded");
  model.release();
}
