// Control: cancel and steer over HTTP.
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

Response post(Relay& relay, const std::string& target, const std::string& body = "", Fields fields = {}) {
  return fetch(relay.port(), {.method = "POST", .target = target, .fields = std::move(fields), .body = body});
}

Response steer(Relay& relay, const std::string& id, const Json& body) {
  return relay.post("/v1/streams/" + id + "/steer", body);
}

ModelServer::Answer ticking() {
  return [](ModelServer::Call& call) {
    for (int i = 0; call.pause(10ms); ++i) {
      if (!call.text("t" + std::to_string(i) + " ")) return;
    }
  };
}

}  // namespace

TEST_CASE("cancel closes the upstream at once, commits the end, and answers it", "[control]") {
  ModelServer model(ticking());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_text(30, 5s));
  const auto answer = post(relay, "/v1/streams/" + id + "/cancel");
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  const Json body = answer.json();
  CHECK(body.at("id") == id);
  CHECK(body.at("status") == "cancelled");
  CHECK(body.contains("usage"));
  CHECK(body.at("upstream_closed_ms").is_number());
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 2s));
  REQUIRE(reader.wait_finished(5s));
  const auto all = reader.transcript();
  CHECK(all.done->at("status") == "cancelled");
  CHECK(all.done->at("finish_reason").is_null());
  CHECK(body.at("last_event_id") == all.last_id);
  CHECK(reader.problems() == Strings{});
  const Json state = relay.state(id);
  CHECK(state.at("text") == all.text);
  CHECK(state.at("status") == "cancelled");
  // Idempotent, and after a kill as well.
  const auto again = post(relay, "/v1/streams/" + id + "/cancel");
  CHECK(again.status == 200);
  CHECK(again.json().at("last_event_id") == body.at("last_event_id"));
  relay.kill_now();
  relay.start();
  const auto after = post(relay, "/v1/streams/" + id + "/cancel");
  CHECK(after.status == 200);
  CHECK(after.json().at("status") == "cancelled");
  CHECK(after.json().at("last_event_id") == body.at("last_event_id"));
}

TEST_CASE("cancel needs no body, no length, no type", "[control]") {
  ModelServer model(ticking());
  Relay relay({.upstream = model.upstream()});
  for (const std::string& rest :
       Strings{"\r\n", "Content-Length: 0\r\n\r\n", "Content-Length: 2\r\nContent-Type: text/plain\r\n\r\n{}"}) {
    const std::string id = relay.create();
    HttpConnection connection(relay.port());
    connection.send("POST /v1/streams/" + id + "/cancel HTTP/1.1\r\nHost: 127.0.0.1\r\n" + rest);
    CHECK(connection.read_head().value_or(Head{}).status == 200);
  }
  CHECK(post(relay, "/v1/streams/strm_AAAAAAAAAAAAAAAAAAAAAA/cancel").status == 404);
}

TEST_CASE("cancel of a stream that ended answers its end; of one deleted, 410", "[control]") {
  ModelServer model([](ModelServer::Call& call) { call.text("x"), call.finish(); });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  REQUIRE(relay.wait_status(id, "completed"));
  const auto answer = post(relay, "/v1/streams/" + id + "/cancel");
  CHECK(answer.status == 200);
  CHECK(answer.json().at("status") == "completed");
  CHECK(fetch(relay.port(), {.method = "DELETE", .target = "/v1/streams/" + id}).status == 204);
  CHECK(post(relay, "/v1/streams/" + id + "/cancel").status == 410);
  CHECK(steer(relay, id, {{"content", "x"}}).status == 410);
}

TEST_CASE("concurrent cancels all get the one end", "[control]") {
  ModelServer model(ticking());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  std::vector<Response> answers(8);
  std::vector<std::thread> threads;
  for (auto& a : answers) threads.emplace_back([&] { a = post(relay, "/v1/streams/" + id + "/cancel"); });
  for (auto& t : threads) t.join();
  for (const auto& a : answers) {
    CHECK(a.status == 200);
    CHECK(a.json().value("last_event_id", "?") == answers[0].json().value("last_event_id", "??"));
  }
}

TEST_CASE("steer goes on in the same stream with the conversation so far", "[control]") {
  ModelServer model([](ModelServer::Call& call) {
    if (call.number() == 0) {
      call.chunk({{"reasoning_content", "thinking"}});
      call.text("a long ans");
      call.wait_closed(20s);
      return;
    }
    call.text("short.");
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id =
      relay.create({{"messages", {{{"role", "system"}, {"content", "s"}}, {{"role", "user"}, {"content", "u"}}}},
                    {"parameters", {{"temperature", 0.25}}}});
  Follower reader({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_text(10, 5s));
  const auto answer = steer(relay, id, {{"content", "shorter, please"}});
  INFO(answer.body);
  REQUIRE(answer.status == 202);
  REQUIRE(reader.wait_finished(5s));
  CHECK(reader.problems() == Strings{});
  CHECK(reader.statuses() == std::vector<int>{200});
  const auto all = reader.transcript();
  CHECK(all.text == "a long ansshort.");
  REQUIRE(all.steer.size() == 1);
  CHECK(all.steer[0] == Json{{"content", "shorter, please"}});
  CHECK(all.dones == 1);
  CHECK(all.done->at("status") == "completed");
  bool found = false;
  for (const auto& e : reader.events())
    found |= e.name == "steer" && e.id == answer.json().at("event_id").get<std::string>();
  CHECK(found);
  REQUIRE(model.calls() == 2);
  CHECK(model.call(1).request.at("messages") == Json::array({{{"role", "system"}, {"content", "s"}},
                                                             {{"role", "user"}, {"content", "u"}},
                                                             {{"role", "assistant"}, {"content", "a long ans"}},
                                                             {{"role", "user"}, {"content", "shorter, please"}}}));
  CHECK(model.call(1).request.at("temperature") == 0.25);
  CHECK(relay.state(id).at("text") == "a long ansshort.");
  const auto late = steer(relay, id, {{"content", "x"}});
  CHECK(late.status == 409);
  CHECK(late.json().value("code", "") == "stream_ended");
}

TEST_CASE("what may be sent may be steered, however deep it nests", "[control]") {
  ModelServer model(ticking());
  Relay relay({.upstream = model.upstream(), .env = {{"TOKENRELAY_LIMITS_JSON_DEPTH", "512"}}});
  Json deep = Json::array();
  for (int i = 0; i < 490; ++i) deep = Json::array({std::move(deep)});
  const std::string id = relay.create({{"prompt", "p"}, {"parameters", {{"x_deep", deep}}}});
  Follower reader({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_text(1, 5s));
  CHECK(steer(relay, id, {{"content", "shorter"}}).status == 202);
  REQUIRE(model.wait_calls(2));
  CHECK(model.call(1).request.at("x_deep") == deep);
  CHECK(relay.state(id).at("status") == "streaming");
}

TEST_CASE("steers that are refused", "[control]") {
  ModelServer model(ticking());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  for (const Json& bad :
       std::vector<Json>{Json::object(), {{"content", 5}}, {{"content", "x"}, {"more", 1}}, Json::array()}) {
    INFO(bad.dump());
    CHECK(steer(relay, id, bad).status == 400);
  }
  CHECK(steer(relay, id, {{"content", std::string((32 << 10) + 1, 'x')}}).status / 100 == 4);
  CHECK(steer(relay, id, {{"content", std::string(32 << 10, 'x')}}).status == 202);
  int accepted = 1, refused = 0;
  for (int i = 0; i < 20; ++i) {
    const int status = steer(relay, id, {{"content", "again"}}).status;
    accepted += status == 202 ? 1 : 0;
    refused += status / 100 == 4 ? 1 : 0;
  }
  CHECK(accepted == 16);
  CHECK(refused == 5);
  CHECK(relay.state(id).at("status") == "streaming");
}
