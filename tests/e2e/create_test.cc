// Create: POST /v1/streams, as JSON and as an event stream.
#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"
#include "tests/support/transcript.h"

using namespace tokenrelay::support;

namespace {

const Fields json = {{"Content-Type", "application/json"}};

ModelServer::Answer short_answer() {
  return [](ModelServer::Call& call) {
    call.text("Hel");
    call.text("lo");
    call.finish();
  };
}

Request post(const std::string& body, Fields fields = {}) {
  fields.emplace_back("Content-Type", "application/json");
  return {.method = "POST", .target = "/v1/streams", .fields = fields, .body = body};
}

Request post_sse(const std::string& body, Fields fields = {}) {
  fields.emplace_back("Accept", "text/event-stream");
  return post(body, fields);
}

}  // namespace

TEST_CASE("JSON: 201, a Location, and a stream that can be read", "[create]") {
  ModelServer model(short_answer());
  Relay relay({.upstream = model.upstream()});
  const Response made = relay.post("/v1/streams", {{"prompt", "hi"}, {"model", "m1"}, {"metadata", {{"k", "v"}}}});
  REQUIRE(made.status == 201);
  const Json body = made.json();
  const std::string id = body.at("id");
  CHECK(id.starts_with("strm_"));
  CHECK(id.size() >= 5 + 22);  // 128 bits in base64url
  CHECK(id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos);
  CHECK(made.head.get("Location") == "/v1/streams/" + id);
  CHECK(made.head.get("Content-Type").value_or("").starts_with("application/json"));
  CHECK(made.head.get("Request-Id"));
  CHECK(body.at("model") == "m1");
  CHECK((body.at("status") == "queued" || body.at("status") == "streaming"));
  CHECK(body.at("events_url").get<std::string>().find("/v1/streams/" + id + "/events") != std::string::npos);
  CHECK(body.contains("control_url"));
  CHECK(body.at("created_at").get<std::string>().size() == std::string("2026-11-21T06:00:00.123Z").size());
  CHECK(body.size() == 6);
  REQUIRE(relay.wait_status(id, "completed"));
  const Json state = relay.state(id);
  CHECK(state.at("text") == "Hello");
  CHECK(state.at("metadata") == Json{{"k", "v"}});
}

TEST_CASE("the upstream gets what was asked, and only that", "[create]") {
  ModelServer model(short_answer());
  Relay relay({.upstream = model.upstream(), .env = {{"OPENAI_API_KEY", "sk-secret-of-the-test"}}});
  const Json messages =
      Json::array({{{"role", "system"}, {"content", "be brief"}},
                   {{"role", "user"}, {"content", Json::array({{{"type", "text"}, {"text", "hé"}}})}}});
  const Response made = relay.post("/v1/streams",
                                   {{"messages", messages},
                                    {"model", "gpt-x"},
                                    {"parameters", {{"temperature", 0.5}, {"max_tokens", 7}, {"stop", {"X"}}}}},
                                   {{"Request-Id", "test-request-1"}});
  REQUIRE(made.status == 201);
  REQUIRE(model.wait_calls(1));
  const auto seen = model.call(0);
  CHECK(seen.request.at("model") == "gpt-x");
  CHECK(seen.request.at("messages") == messages);
  CHECK(seen.request.at("stream") == true);
  CHECK(seen.request.at("stream_options").at("include_usage") == true);
  CHECK(seen.request.at("temperature") == 0.5);
  CHECK(seen.request.at("max_tokens") == 7);
  CHECK(seen.request.at("stop") == Json::array({"X"}));
  CHECK(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
  CHECK(seen.head.find("Bearer sk-secret-of-the-test") != std::string::npos);
  CHECK(seen.head.find("test-request-1") != std::string::npos);
  CHECK(made.head.get("Request-Id") == "test-request-1");
}

TEST_CASE("without a key no credential is sent", "[create]") {
  ModelServer model(short_answer());
  Relay relay({.upstream = model.upstream(), .env = {{"OPENAI_API_KEY", ""}}});
  relay.create();
  REQUIRE(model.wait_calls(1));
  std::string head = model.call(0).head;
  std::transform(head.begin(), head.end(), head.begin(), [](unsigned char c) { return std::tolower(c); });
  CHECK(head.find("authorization") == std::string::npos);
}

TEST_CASE("event stream: 200 from the first event, start in the first write", "[create]") {
  ModelServer model([](ModelServer::Call& call) {
    call.wait_released();
    short_answer()(call);
  });
  Relay relay({.upstream = model.upstream()});
  Socket socket = Socket::connect(relay.port());
  REQUIRE(socket.send_all(bytes_of(post_sse(R"({"prompt":"hi"})"), relay.port())));
  std::string first;
  REQUIRE(socket.receive(first, 10s) == Got::bytes);
  CHECK(first.starts_with("HTTP/1.1 200 "));
  CHECK(first.find("event: resumed\n") != std::string::npos);
  CHECK(first.find("event: start\n") != std::string::npos);
  CHECK(first.find("\r\nLocation: /v1/streams/strm_") != std::string::npos);
  model.release();
  while (socket.receive(first, 10s) == Got::bytes && first.find("\r\n0\r\n\r\n") == std::string::npos) {
  }
  CHECK(first.find("event: done\n") != std::string::npos);
}

TEST_CASE("event stream: the whole of it", "[create]") {
  ModelServer model(short_answer());
  Relay relay({.upstream = model.upstream()});
  SseConnection stream(relay.port(), post_sse(R"({"prompt":"hi"})"));
  const auto events = stream.rest();
  CHECK(stream.problems() == std::vector<std::string>{});
  CHECK(stream.end() == BodyEnd::clean);
  REQUIRE(events.size() >= 4);
  CHECK(events[0].json().at("verdict") == "start");
  CHECK(events[0].json().at("stream").get<std::string>() == stream.head()->get("Location")->substr(12));
  CHECK(events[1].name == "start");
  CHECK(parse_event_id(*events[1].id)->seq == 1);
  const auto all = transcript_of(events);
  CHECK(all.text == "Hello");
  CHECK(all.start->at("provider") == "openai");
  CHECK(all.start->contains("model"));
  CHECK(all.start->contains("created_at"));
  REQUIRE(all.done);
  CHECK(all.done->at("status") == "completed");
  CHECK(all.done->at("finish_reason") == "stop");
  CHECK(all.done->at("usage") == Json{{"input_tokens", 3}, {"output_tokens", 2}, {"source", "provider"}});
}

TEST_CASE("Accept is read as a list", "[create]") {
  ModelServer model(short_answer());
  Relay relay({.upstream = model.upstream()});
  auto status_for = [&](const std::string& accept) {
    return fetch(relay.port(), post(R"({"prompt":"hi"})", {{"Accept", accept}})).status;
  };
  CHECK(status_for("text/event-stream") == 200);
  CHECK(status_for("application/json;q=0.5, text/event-stream") == 200);
  CHECK(status_for("Text/Event-Stream;q=0.9") == 200);
  CHECK(status_for("*/*") == 201);
  CHECK(status_for("application/json") == 201);
}

TEST_CASE("the same POST with Last-Event-ID resumes and starts nothing", "[create]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    if (call.wait_released()) call.text("two"), call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string body = R"({"prompt":"hi"})";
  std::string cursor, location;
  {
    SseConnection first(relay.port(), post_sse(body));
    for (int i = 0; i < 3; ++i) {
      auto event = first.next();
      REQUIRE(event);
      if (event->id) cursor = *event->id;
    }
    location = first.head()->get("Location").value_or("");
    first.http().socket().reset();
  }
  SseConnection again(relay.port(), post_sse(body, {{"Last-Event-ID", cursor}}));
  REQUIRE(again.head());
  CHECK(again.head()->status == 200);
  CHECK(again.head()->get("Location") == location);
  model.release();
  const auto events = again.rest();
  CHECK(again.problems() == std::vector<std::string>{});
  REQUIRE(!events.empty());
  CHECK(events[0].json().at("verdict") == "exact");
  CHECK(transcript_of(events).text == "two");
  CHECK(model.calls() == 1);

  SECTION("at the terminal event: 200, the terminal event again, a clean end") {
    SseConnection late(relay.port(), post_sse(body, {{"Last-Event-ID", *events.back().id}}));
    const auto rest = late.rest();
    CHECK(late.head()->status == 200);
    REQUIRE(rest.size() == 2);
    CHECK(rest[1].name == "done");
    CHECK(rest[1].data == events.back().data);
    CHECK(rest[1].id == events.back().id);
    CHECK(late.end() == BodyEnd::clean);
  }
  SECTION("another body is 422") {
    const auto other = fetch(relay.port(), post_sse(R"({"prompt":"other"})", {{"Last-Event-ID", cursor}}));
    CHECK(other.status == 422);
    CHECK(model.calls() == 1);
  }
  SECTION("an unknown run is 404 unknown_cursor") {
    const auto other = fetch(relay.port(), post_sse(body, {{"Last-Event-ID", "aaaaaaaaaa-3"}}));
    CHECK(other.status == 404);
    CHECK(other.json().value("code", "") == "unknown_cursor");
    CHECK(model.calls() == 1);
  }
  SECTION("a malformed one is 400") {
    CHECK(fetch(relay.port(), post_sse(body, {{"Last-Event-ID", "not a cursor"}})).status == 400);
    CHECK(model.calls() == 1);
  }
  SECTION("an empty one is none") {
    SseConnection fresh(relay.port(), post_sse(body, {{"Last-Event-ID", ""}}));
    REQUIRE(fresh.head());
    CHECK(fresh.head()->status == 200);
    CHECK(fresh.head()->get("Location") != location);
    REQUIRE(model.wait_calls(2));
  }
}

TEST_CASE("a head that was seen can be resumed, even after kill -9", "[create]") {
  ModelServer model([](ModelServer::Call& call) { call.wait_released(); });
  Relay relay({.upstream = model.upstream()});
  for (int round = 0; round < 5; ++round) {
    const std::string id = relay.create();
    relay.kill_now();
    relay.start();
    SseConnection stream(relay.port(), events_request(id));
    const auto events = stream.rest();
    REQUIRE(events.size() == 3);  // resumed, start, done
    CHECK(events[1].name == "start");
    CHECK(events[2].json().at("status") == "interrupted");
  }
}
