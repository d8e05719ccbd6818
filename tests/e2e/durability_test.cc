// Durability: kill -9 cannot see a missing fsync, so the disk itself is made slow, broken and full.
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

void arm(Relay& relay, const std::string& fault, const std::string& value = "1") {
  write_text(relay.fault_dir() / fault, value);
}
void disarm(Relay& relay, const std::string& fault) {
  std::filesystem::remove(relay.fault_dir() / fault);
}

ModelServer::Answer ticking(milliseconds pace) {
  return [pace](ModelServer::Call& call) {
    for (int i = 0; call.pause(pace); ++i) {
      if (!call.text("t" + std::to_string(i) + " ")) return;
    }
  };
}

}  // namespace

TEST_CASE("at FULL no event reaches a reader before its fsync can have ended", "[durability]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 60 && call.pause(20ms); ++i) call.text("t" + std::to_string(i) + " ");
    call.finish();
  });
  Relay relay({.upstream = model.upstream(), .fault_injection = true});
  arm(relay, "sync_delay_ms", "300");
  const auto asked = Clock::now();
  const std::string id = relay.create();
  CHECK(ms_since(asked) >= 300);  // the start event is durable before the head leaves
  Follower reader({.port = relay.port(), .stream_id = id, .query = "coalesce=0"}),
      merged({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_finished(40s));
  REQUIRE(merged.wait_finished(40s));
  std::map<std::string, TimePoint> left;
  for (const auto& [text, at] : model.sent()) left[text] = at;
  size_t checked = 0;
  for (const auto* r : {&reader, &merged}) {
    for (const auto& event : r->events()) {
      if (event.name != "message") continue;
      std::istringstream words(event.json().at("delta").get<std::string>());
      for (std::string word; words >> word; ++checked) {
        const auto took = std::chrono::duration_cast<milliseconds>(event.at - left.at(word + " "));
        INFO(word << " took " << took.count() << " ms");
        CHECK(took >= 300ms);
      }
    }
  }
  CHECK(checked == 120);
  CHECK(reader.transcript().done->at("status") == "completed");
}

TEST_CASE("a POST's event stream and a state wait for the fsync too", "[durability]") {
  ModelServer model(ticking(20ms));
  Relay relay({.upstream = model.upstream(), .fault_injection = true});
  arm(relay, "sync_delay_ms", "300");
  const auto asked = Clock::now();
  SseConnection stream(relay.port(), {.method = "POST",
                                      .target = "/v1/streams",
                                      .fields = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream"}},
                                      .body = R"({"prompt":"x"})"});
  REQUIRE(stream.head());
  CHECK(ms_since(asked) >= 300);
  const std::string id = stream.head()->get("Location").value_or("").substr(12);
  std::string shown;
  REQUIRE(wait_until([&] { return !(shown = relay.state(id).value("text", "")).empty(); }, 10s, 1ms));
  const auto seen = Clock::now();
  const std::string word = shown.substr(0, shown.find(' ') + 1);
  for (const auto& [text, at] : model.sent()) {
    if (text == word) CHECK(seen - at >= 300ms);
  }
}

TEST_CASE("NORMAL does not wait for a sync at every commit", "[durability]") {
  ModelServer model(ticking(10ms));
  Relay relay({.upstream = model.upstream(), .config = "[storage]\nsync = \"normal\"\n", .fault_injection = true});
  arm(relay, "sync_delay_ms", "300");
  const std::string id = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_text(200, 10s));
  size_t quick = 0;
  const auto sent = model.sent();
  for (const auto& event : reader.events()) {
    for (const auto& [text, at] : sent) {
      if (event.name == "message" && event.json().at("delta") == text && event.at - at < 200ms) ++quick;
    }
  }
  CHECK(quick > 5);
}

TEST_CASE("a failed fsync is final: nothing more is shown, and the next start gives the missing dones",
          "[durability]") {
  ModelServer model(ticking(10ms));
  Relay relay({.upstream = model.upstream(), .fault_injection = true});
  Strings ids;
  std::vector<std::unique_ptr<Follower>> readers;
  for (int i = 0; i < 5; ++i) {
    ids.push_back(relay.create());
    readers.push_back(std::make_unique<Follower>(Follower::Options{.port = relay.port(), .stream_id = ids.back()}));
  }
  for (auto& r : readers) REQUIRE(r->wait_text(20, 10s));
  arm(relay, "fail_sync");
  REQUIRE(wait_until([&] { return relay.get("/readyz").status == 503; }, 10s));
  CHECK(relay.get("/healthz").status == 200);
  const auto refused = relay.post("/v1/streams", {{"prompt", "x"}});
  CHECK(refused.status == 503);
  CHECK(refused.json().value("code", "") == "log_unavailable");
  CHECK(refused.head.get("Retry-After"));
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 10s));  // upstreams are closed
  for (auto& r : readers) {
    CHECK(wait_until([&] { return r->ends().size() > 0 && r->ends().front() == BodyEnd::reset; },
                     10s));  // readers are cut
    for (const int status : r->statuses()) CHECK((status == 200 || status == 0));
    CHECK_FALSE(r->finished());
  }
  // What is durable is served: a fresh reader gets it, and then a cut.
  SseConnection late(relay.port(), events_request(ids[0], "", "coalesce=0"));
  const auto served = late.rest(10s);
  CHECK(late.end() == BodyEnd::reset);
  // The disk is well again, but a failed sync stays failed: the pages it could not write may be gone.
  disarm(relay, "fail_sync");
  CHECK_FALSE(wait_until([&] { return relay.get("/readyz").status == 200; }, 1s));
  CHECK(relay.post("/v1/streams", {{"prompt", "x"}}).status == 503);
  std::vector<std::vector<SseEvent>> held;
  for (auto& r : readers) {
    r->stop();
    held.push_back(r->events());
  }
  relay.kill_now();
  relay.set_fault_injection(false);
  relay.start();
  CHECK(relay.get("/readyz").status == 200);
  for (size_t i = 0; i < ids.size(); ++i) {
    SseConnection again(relay.port(), events_request(ids[i], "", "coalesce=0"));
    const auto log = transcript_of(again.rest());
    CHECK(log.done->at("status") == "interrupted");
    CHECK(log.text.starts_with(transcript_of(held[i]).text));
  }
}

TEST_CASE("a failed fsync while a POST waits: no 201 for what is not durable", "[durability]") {
  ModelServer model(ticking(10ms));
  Relay relay({.upstream = model.upstream(), .fault_injection = true});
  arm(relay, "fail_sync");
  const auto refused = relay.post("/v1/streams", {{"prompt", "x"}});
  CHECK(refused.status == 503);
  CHECK(refused.json().value("code", "") == "log_unavailable");
  const auto sse =
      fetch(relay.port(), {.method = "POST",
                           .target = "/v1/streams",
                           .fields = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream"}},
                           .body = R"({"prompt":"x"})"});
  CHECK(sse.status == 503);
  CHECK(relay.process().running());
}

TEST_CASE("a disk that is full for a while: appends wait, and nothing is lost", "[durability]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 300 && call.pause(10ms); ++i) call.text("t" + std::to_string(i) + " ");
    call.finish();
  });
  Relay relay({.upstream = model.upstream(), .fault_injection = true});
  const std::string id = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_text(40, 10s));
  arm(relay, "no_space");
  REQUIRE(wait_until([&] { return relay.get("/readyz").status == 503; }, 15s));
  const auto refused = relay.post("/v1/streams", {{"prompt", "x"}});
  CHECK(refused.status == 503);
  CHECK(refused.json().value("code", "") == "log_unavailable");
  CHECK(relay.get("/healthz").status == 200);
  CHECK(relay.get("/v1/streams/" + id).status == 200);
  disarm(relay, "no_space");
  REQUIRE(wait_until([&] { return relay.get("/readyz").status == 200; }, 15s));
  REQUIRE(reader.wait_finished(30s));
  std::string expected;
  for (int i = 0; i < 300; ++i) expected += "t" + std::to_string(i) + " ";
  CHECK(reader.transcript().text == expected);
  CHECK(reader.transcript().done->at("status") == "completed");
  CHECK(reader.problems() == Strings{});
  CHECK(relay.post("/v1/streams", {{"prompt", "x"}}).status == 201);
  relay.kill_now();
  relay.start();
  CHECK(relay.state(id).at("text") == expected);
}

TEST_CASE("a disk that stays full: generations are closed, what was acknowledged stays", "[durability]") {
  ModelServer model(ticking(10ms));
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nlog_stall_ms = 1000\n", .fault_injection = true});
  const std::string id = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_text(40, 10s));
  arm(relay, "no_space");
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 15s));
  const auto held = reader.transcript().text;
  disarm(relay, "no_space");
  REQUIRE(reader.wait_finished(20s));
  const auto done = reader.transcript().done;
  CHECK((done->at("status") == "failed" || done->at("status") == "interrupted"));
  CHECK(reader.transcript().text.starts_with(held));
  relay.kill_now();
  relay.start();
  CHECK(relay.state(id).at("text").get<std::string>() == reader.transcript().text);
}

TEST_CASE("a commit that hangs makes the relay not ready", "[durability]") {
  ModelServer model(ticking(10ms));
  Relay relay({.upstream = model.upstream(), .fault_injection = true});
  const std::string id = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_text(20, 10s));
  arm(relay, "hang_sync");
  const auto armed = Clock::now();
  REQUIRE(wait_until([&] { return relay.get("/readyz").status == 503; }, 15s, 50ms));
  CHECK(ms_since(armed) >= 4500);
  CHECK(relay.get("/healthz").status == 200);
  CHECK(relay.get("/v1/streams/" + id).status == 200);
  disarm(relay, "hang_sync");
  CHECK(wait_until([&] { return relay.get("/readyz").status == 200; }, 10s));
  const auto size = reader.transcript().text.size();
  CHECK(reader.wait_text(size + 20, 10s));
}
