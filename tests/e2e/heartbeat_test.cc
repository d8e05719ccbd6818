// Silence and slowness: heartbeats, readers that do not read, readers that leave.
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sanitized.h"

using namespace tokenrelay::support;

TEST_CASE("a heartbeat after every silence, before the first token too", "[heartbeat]") {
  ModelServer model([](ModelServer::Call& call) {
    if (!call.wait_released()) return;
    call.text("x");
    if (call.wait_released()) call.finish();
  });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nheartbeat_ms = 100\n"});
  const std::string id = relay.create();
  SseConnection reader(relay.port(), events_request(id));
  REQUIRE(reader.next());  // resumed
  REQUIRE(reader.next());  // start
  CHECK_FALSE(reader.next(1050ms));
  const auto quiet = reader.parser().heartbeats().size();
  CHECK(quiet >= 5);
  CHECK(quiet <= 11);
  model.release();
  REQUIRE(reader.next());
  CHECK_FALSE(reader.next(550ms));
  CHECK(reader.parser().heartbeats().size() >= quiet + 2);
  model.release();
  CHECK(reader.rest().back().name == "done");
  CHECK(reader.problems() == std::vector<std::string>{});
}

TEST_CASE("a heartbeat is a single line, so that the event after it is whole", "[heartbeat]") {
  ModelServer model([](ModelServer::Call& call) { call.wait_released(); });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nheartbeat_ms = 50\n"});
  HttpConnection connection(relay.port());
  connection.send(events_request(relay.create()));
  REQUIRE(connection.read_head());
  std::string body;
  const auto second = [&body] { return body.find(": hb", body.find(": hb") + 1); };
  while (body.find(": hb") == body.npos || second() == body.npos) {
    REQUIRE(connection.read_some(body, 5s) == BodyEnd::open);
  }
  CHECK(body.substr(body.find(": hb")).starts_with(": hb\n: hb"));
}

TEST_CASE("a reader that never reads costs a bound, slows nobody, and is cut in the end", "[heartbeat]") {
  // About 24 MB of text, at full speed.
  ModelServer model([](ModelServer::Call& call) {
    const std::string piece(6000, 'y');
    for (int i = 0; i < 4000; ++i) {
      if (!call.text(piece)) return;
    }
    call.finish();
  });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nwrite_stall_ms = 3000\n"});
  relay.get("/healthz");
  const std::string id = relay.create();
  SseConnection stuck(relay.port(), events_request(id), 4096);
  REQUIRE(stuck.next());
  Follower quick({.port = relay.port(), .stream_id = id});
  const auto before = relay.process().rss_kb();
  REQUIRE(quick.wait_finished(60s));
  CHECK(quick.transcript().text.size() == 24'000'000);
  CHECK(relay.state(id).value("status", "") == "completed");
  INFO("RSS from " << before << " to " << relay.process().rss_kb() << " KB");
  REQUIRE(wait_until([&] { return stuck.http().socket().peer_reset(); }, 15s, 50ms));  // cut after write_stall_ms
  const auto events = stuck.rest();
  CHECK(stuck.end() == BodyEnd::reset);
  CHECK(transcript_of(events).text.size() < 1'000'000);
}

TEST_CASE("many stuck readers cost kilobytes each", "[heartbeat]") {
  ModelServer model([](ModelServer::Call& call) {
    const std::string piece(4000, 'z');
    for (int i = 0; i < 250; ++i) call.text(piece);
    call.wait_released();
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  REQUIRE(wait_until([&] { return relay.state(id).value("text", "").size() == 1'000'000; }, 20s, 50ms));
  const auto before = relay.process().rss_kb();
  std::vector<std::unique_ptr<SseConnection>> stuck;
  for (int i = 0; i < 200; ++i)
    stuck.push_back(std::make_unique<SseConnection>(relay.port(), events_request(id), 4096));
  for (auto& s : stuck) REQUIRE(s->head());
  REQUIRE(wait_until([&] { return relay.get("/healthz").status == 200; }, 5s));
  const auto after = relay.process().rss_kb();
  INFO("RSS from " << before << " to " << after << " KB");
  CHECK(after < before + 200 * (sanitized ? 500 : 100));  // 1 MB waits for each: 200 MB if it were queued
  model.release();
}

TEST_CASE("a slow reader loses nothing", "[heartbeat]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 20000; ++i) call.text("token-" + std::to_string(i) + " and some more of it ");
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  SseConnection slow(relay.port(), events_request(id), 4096);
  REQUIRE(relay.wait_status(id, "completed", 30s));  // nobody slowed it down
  const auto events = slow.rest(30s);
  CHECK(slow.problems() == std::vector<std::string>{});
  CHECK(relay.state(id).at("text") == transcript_of(events).text);
  CHECK(slow.end() == BodyEnd::clean);
}

TEST_CASE("a reader that leaves is noticed and costs nothing", "[heartbeat]") {
  ModelServer model([](ModelServer::Call& call) { call.wait_released(); });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  const auto before = relay.process().descriptors();
  std::vector<std::unique_ptr<SseConnection>> readers;
  for (int i = 0; i < 50; ++i) {
    readers.push_back(std::make_unique<SseConnection>(relay.port(), events_request(id)));
    REQUIRE(readers.back()->next());
  }
  CHECK(relay.process().descriptors() >= before + 45);
  for (size_t i = 0; i < readers.size(); ++i) {
    if (i % 2 == 0) readers[i]->http().socket().reset();
  }
  readers.clear();
  CHECK(wait_until([&] { return relay.process().descriptors() <= before + 2; }, 5s));
}
