// Replay: merged for who is behind, original for who asks, and every stored id a valid cursor.
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

// Text, reasoning and two tool calls, with every kind following every other, and characters of one to four bytes.
void play_mixed(ModelServer::Call& call, int rounds) {
  const Strings pieces = {"a", "é", "漢", "😀", "\"q\"", "\\", "\n", "\t", "</x>", "id: 1\n\ndata: z"};
  for (int i = 0; i < rounds; ++i) {
    for (const auto& p : pieces) call.text(p);
    for (const auto& p : pieces) call.chunk({{"reasoning_content", p}});
    call.text(".");
  }
  call.chunk(
      {{"tool_calls",
        {{{"index", 0}, {"id", "c1"}, {"type", "function"}, {"function", {{"name", "f"}, {"arguments", ""}}}}}}});
  call.chunk({{"tool_calls", {{{"index", 0}, {"function", {{"arguments", "{\"a\""}}}}}}});
  call.chunk({{"tool_calls", {{{"index", 0}, {"function", {{"arguments", ":1}"}}}}}}});
  call.chunk(
      {{"tool_calls",
        {{{"index", 1}, {"id", "c2"}, {"type", "function"}, {"function", {{"name", "g"}, {"arguments", "{}"}}}}}}});
  call.finish("tool_calls");
}

std::vector<SseEvent> read_all(uint16_t port, const std::string& id, const std::string& cursor,
                               const std::string& query) {
  SseConnection reader(port, events_request(id, cursor, query));
  auto events = reader.rest();
  CHECK(reader.problems() == Strings{});
  CHECK(reader.end() == BodyEnd::clean);
  return events;
}

void check_same(const Transcript& a, const Transcript& b) {
  CHECK(a.text == b.text);
  CHECK(a.reasoning == b.reasoning);
  REQUIRE(a.tool_calls.size() == b.tool_calls.size());
  for (const auto& [index, call] : a.tool_calls) {
    REQUIRE(b.tool_calls.contains(index));
    CHECK(call.arguments == b.tool_calls.at(index).arguments);
    CHECK(call.name == b.tool_calls.at(index).name);
    CHECK(call.id == b.tool_calls.at(index).id);
  }
  CHECK(a.done == b.done);
  CHECK(a.last_id == b.last_id);
}

}  // namespace

TEST_CASE("cut after every single event, and the exact transcript reassembled", "[replay]") {
  ModelServer model([](ModelServer::Call& call) { play_mixed(call, 3); });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  REQUIRE(relay.wait_status(id, "completed"));
  const auto originals = read_all(relay.port(), id, "", "coalesce=0");
  const auto whole = transcript_of(originals);
  REQUIRE(originals.size() == 1 + 1 + 3 * 21 + 5 + 1);
  CHECK(whole.tool_calls.at(0).arguments == "{\"a\":1}");
  for (size_t i = 1; i < originals.size(); ++i) CHECK(parse_event_id(*originals[i].id)->seq == i);

  for (const std::string& query : Strings{"", "coalesce=0"}) {
    for (size_t cut = 1; cut + 1 < originals.size(); ++cut) {
      Transcript pieced;
      for (size_t i = 1; i <= cut; ++i) pieced.add(originals[i]);
      const auto rest = read_all(relay.port(), id, *originals[cut].id, query);
      REQUIRE(!rest.empty());
      CHECK(rest[0].json().at("verdict") == "exact");
      for (const auto& event : rest) pieced.add(event);
      check_same(pieced, whole);
    }
  }
}

TEST_CASE("a client that loses its connection after every event it gets", "[replay]") {
  ModelServer model([](ModelServer::Call& call) { play_mixed(call, 2); });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  Transcript pieced;
  int connections = 0;
  while (!pieced.done && connections < 200) {
    ++connections;
    SseConnection reader(relay.port(), events_request(id, pieced.last_id));
    for (int got = 0; got < 2; ++got) {  // resumed, and one event
      const auto event = reader.next();
      REQUIRE(event);
      pieced.add(*event);
    }
    CHECK(reader.problems() == Strings{});
    reader.http().socket().reset();
  }
  CHECK(pieced.resets == 0);
  check_same(pieced, transcript_of(read_all(relay.port(), id, "", "coalesce=0")));
}

TEST_CASE("a late reader gets merged deltas, exact in text, under the last one's id", "[replay]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 2000; ++i) call.text("word" + std::to_string(i) + "漢 ");
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  REQUIRE(relay.wait_status(id, "completed", 20s));
  const auto originals = read_all(relay.port(), id, "", "coalesce=0"), merged = read_all(relay.port(), id, "", "");
  CHECK(originals.size() == 2000 + 3);
  CHECK(merged.size() < 20);
  check_same(transcript_of(merged), transcript_of(originals));
  std::map<std::string, bool> stored;
  for (const auto& e : originals) stored[e.id.value_or("")] = true;
  for (const auto& e : merged) {
    CHECK(stored.contains(e.id.value_or("")));
    if (e.name == "message") CHECK(e.json().at("delta").get<std::string>().size() <= 16 << 10);
  }
}

TEST_CASE("a reader that keeps up gets every delta", "[replay]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 100 && call.pause(10ms); ++i) call.text("d" + std::to_string(i) + " ");
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  Follower reader({.port = relay.port(), .stream_id = relay.create()});
  REQUIRE(reader.wait_finished(20s));
  CHECK(reader.problems() == Strings{});
  size_t deltas = 0;
  for (const auto& e : reader.events()) deltas += e.name == "message" ? 1 : 0;
  CHECK(deltas == 100);
}

TEST_CASE("long deltas are split at a code point, into events of 16 KiB at most", "[replay]") {
  std::string huge;
  for (int i = 0; i < 30000; ++i) huge += i % 3 == 0 ? "😀" : "漢";
  ModelServer model([&](ModelServer::Call& call) {
    call.text(huge);
    call.chunk({{"reasoning_content", huge}});
    call.chunk({{"tool_calls", {{{"index", 0}, {"id", "c"}, {"function", {{"name", "f"}, {"arguments", huge}}}}}}});
    call.finish("tool_calls");
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  REQUIRE(relay.wait_status(id, "completed"));
  const auto originals = read_all(relay.port(), id, "", "coalesce=0");
  for (const auto& e : originals) {
    const std::string delta = e.json().value(e.name == "tool_call" ? "arguments_delta" : "delta", "");
    CHECK(delta.size() <= 16 << 10);
    CHECK(delta.find("\xef\xbf\xbd") == std::string::npos);
  }
  const auto all = transcript_of(originals);
  CHECK(all.text == huge);
  CHECK(all.reasoning == huge);
  CHECK(all.tool_calls.at(0).arguments == huge);
  check_same(transcript_of(read_all(relay.port(), id, "", "")), all);
  CHECK(relay.state(id).at("text") == huge);
}

TEST_CASE("replay is the same after a restart, and from segments", "[replay]") {
  ModelServer model([](ModelServer::Call& call) { play_mixed(call, 20); });
  Relay relay(
      {.upstream = model.upstream(), .config = "[storage]\njournal_flush_bytes = 65536\njournal_flush_ms = 100\n"});
  const std::string id = relay.create();
  REQUIRE(relay.wait_status(id, "completed"));
  const auto before = read_all(relay.port(), id, "", "coalesce=0");
  for (const bool clean : {false, true}) {
    if (clean) {
      CHECK(relay.stop() == 0);
    } else {
      relay.kill_now();
    }
    relay.start();
    const auto after = read_all(relay.port(), id, "", "coalesce=0");
    REQUIRE(after.size() == before.size());
    for (size_t i = 1; i < after.size(); ++i) {
      CHECK(after[i].id == before[i].id);
      CHECK(after[i].name == before[i].name);
      CHECK(after[i].data == before[i].data);
    }
    CHECK(read_all(relay.port(), id, *before[9].id, "").at(0).json().at("verdict") == "exact");
    CHECK(fetch(relay.port(), events_request(id, *before.back().id)).status == 204);
  }
}
