// Crash: kill -9, again and again, under concurrent streams with readers. What a client saw is there, unchanged.
#include <map>
#include <random>

#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

// Numbered words at an uneven pace, so that kills fall between and inside commits; short answers end in between.
void play(ModelServer::Call& call) {
  std::mt19937 random(static_cast<unsigned>(call.number()));
  const int length = 20 + static_cast<int>(random() % 400);
  for (int i = 0; i < length; ++i) {
    if (!call.text("w" + std::to_string(i) + "é ")) return;
    if (random() % 8 == 0) call.chunk({{"reasoning_content", "r" + std::to_string(i) + " "}});
    if (random() % 3 == 0 && !call.pause(milliseconds(random() % 6))) return;
  }
  call.finish();
}

std::vector<SseEvent> originals(Relay& relay, const std::string& id) {
  SseConnection reader(relay.port(), events_request(id, "", "coalesce=0"));
  auto events = reader.rest();
  CHECK(reader.problems() == Strings{});
  CHECK(reader.end() == BodyEnd::clean);
  return events;
}

// What one reader held (perhaps merged) against the log's originals: every event it saw is the exact join of a stretch.
void check_seen(const std::vector<SseEvent>& seen, const std::vector<SseEvent>& log) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < log.size(); ++i) {
    if (log[i].id) place[*log[i].id] = i;
  }
  size_t last = 0;  // index into log of the last event that this reader holds; 0 is `resumed`
  for (const auto& event : seen) {
    if (event.name == "resumed") {
      CHECK(event.json().at("verdict") != "reset");
      continue;
    }
    REQUIRE(event.id);
    INFO("event " << *event.id);
    REQUIRE(place.contains(*event.id));
    const size_t at = place[*event.id];
    REQUIRE(at > last);
    CHECK(log[at].name == event.name);
    if (event.name == "message" || event.name == "reasoning") {
      std::string joined;
      for (size_t i = last + 1; i <= at; ++i) joined += log[i].json().value("delta", "");
      CHECK(event.json().at("delta") == joined);
    } else {
      CHECK(at == last + 1);
      CHECK(log[at].data == event.data);
    }
    last = at;
  }
}

}  // namespace

TEST_CASE("kill -9 many times under load: nothing shown is lost, and every stream ends once", "[crash]") {
  ModelServer model(play);
  Relay relay(
      {.upstream = model.upstream(),
       .config = "[storage]\njournal_flush_bytes = 200000\njournal_flush_ms = 700\n"});  // flushes under fire too
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::map<std::string, std::vector<std::unique_ptr<Follower>>> readers;
  std::map<std::string, std::string> keys;  // idempotency key -> stream
  constexpr int kills = 20;
  for (int kill = 0; kill < kills; ++kill) {
    for (int i = 0; i < 12; ++i) {
      const std::string key = "key-" + std::to_string(kill) + "-" + std::to_string(i);
      const auto made = relay.post("/v1/streams", {{"prompt", key}}, {{"Idempotency-Key", key}});
      REQUIRE(made.status == 201);
      const std::string id = made.json().at("id");
      keys[key] = id;
      readers[id].push_back(std::make_unique<Follower>(Follower::Options{.port = relay.port(), .stream_id = id}));
      if (i % 3 == 0) {
        readers[id].push_back(std::make_unique<Follower>(
            Follower::Options{.port = relay.port(), .stream_id = id, .query = "coalesce=0"}));
      }
    }
    std::this_thread::sleep_for(milliseconds(random() % 400));  // the moment of the kill is the test's variable
    relay.kill_now();
    relay.start();
  }
  for (auto& [id, followers] : readers) {
    for (auto& f : followers) REQUIRE(f->wait_finished(30s));
  }
  std::map<std::string, int> by_status;
  for (auto& [id, followers] : readers) {
    const auto log = originals(relay, id);
    const auto whole = transcript_of(log);
    INFO("stream " << id);
    CHECK(whole.dones == 1);
    REQUIRE(log.back().name == "done");
    ++by_status[whole.done->at("status")];
    for (size_t i = 1; i < log.size(); ++i) CHECK(parse_event_id(*log[i].id)->seq == i);  // no gap, across runs
    for (auto& f : followers) {
      CHECK(f->problems() == Strings{});
      check_seen(f->events(), log);
      CHECK(f->transcript().text == whole.text);
      for (const int status : f->statuses()) CHECK((status == 200 || status == 204 || status == 0));
    }
    CHECK(relay.state(id).at("status") == whole.done->at("status"));
  }
  CHECK(by_status["completed"] > 0);
  CHECK(by_status["interrupted"] > 0);
  CHECK(by_status.size() == 2);
  for (const auto& [key, id] : keys) {
    const auto again = relay.post("/v1/streams", {{"prompt", key}}, {{"Idempotency-Key", key}});
    CHECK(again.status == 200);
    CHECK(again.json().value("id", "") == id);
  }
  CHECK(model.calls() <= keys.size());
}

TEST_CASE("the terminal event after a crash says interrupted, under a new run", "[crash]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("half an ans");
    call.wait_closed(30s);
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  Follower reader({.port = relay.port(), .stream_id = id});
  REQUIRE(reader.wait_text(11, 20s));
  relay.kill_now();
  relay.start();
  REQUIRE(reader.wait_finished(10s));
  const auto events = reader.events();
  const auto& last = events.back();
  const auto first_run = parse_event_id(*events[1].id), second_run = parse_event_id(*last.id);
  CHECK(first_run->run != second_run->run);
  CHECK(second_run->seq == 3);
  const Json done = last.json();
  CHECK(done.at("status") == "interrupted");
  CHECK(done.at("finish_reason").is_null());
  CHECK(done.at("usage").contains("source"));
  const Json state = relay.state(id);
  CHECK(state.at("status") == "interrupted");
  CHECK(state.at("text") == "half an ans");
  // The old run's cursors are exact where that run reached, and a reset beyond.
  SseConnection exact(relay.port(), events_request(id, first_run->run + "-2")),
      beyond(relay.port(), events_request(id, first_run->run + "-3"));
  CHECK(exact.next()->json().at("verdict") == "exact");
  CHECK(beyond.next()->json().at("verdict") == "reset");
  SseConnection before(relay.port(), events_request(id, second_run->run + "-2"));  // of the new run, before it began
  CHECK(before.next()->json().at("verdict") == "reset");
  relay.kill_now();
  relay.start();
  CHECK(originals(relay, id).size() == 4);  // resumed, start, one delta, done: once ended, a stream stays as it is
}

TEST_CASE("recovery of a journal of tens of megabytes takes seconds", "[crash]") {
  ModelServer model([](ModelServer::Call& call) {
    const std::string piece(4000, 'j');
    for (int i = 0; i < 2500 && call.text(piece); ++i) {
    }
    call.wait_closed(60s);
  });
  Relay relay({.upstream = model.upstream()});
  Strings ids;
  for (int i = 0; i < 4; ++i) ids.push_back(relay.create());
  REQUIRE(wait_until(
      [&] {
        const Json listed = relay.get("/v1/streams").json();  // without the texts
        return std::all_of(listed.at("streams").begin(), listed.at("streams").end(), [](const Json& stream) {
          return parse_event_id(stream.at("last_event_id").get<std::string>())->seq == 2501;
        });
      },
      40s, 100ms));
  relay.kill_now();
  const auto plain_began = Clock::now();
  Relay empty;
  const int64_t plain_ms = ms_since(plain_began);  // what a start takes on this machine now
  const auto began = Clock::now();
  relay.start();
  CHECK(ms_since(began) < 4000 + 10 * plain_ms);
  for (const auto& id : ids) {
    const Json state = relay.state(id);
    CHECK(state.at("status") == "interrupted");
    CHECK(state.at("text").get<std::string>().size() == 10'000'000);
  }
}
