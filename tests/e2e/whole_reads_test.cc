// Answers that are read whole, by clients that take them slowly or not at all: a long text costs a block of memory, not
// its size, whoever reads it; what must be held counts against a budget, and who is refused knows when to come back.
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sanitized.h"

using namespace tokenrelay::support;

namespace {

constexpr size_t mib = 1 << 20;
constexpr size_t stream_mib = 12;
constexpr int clients = 24;

// For all readers of a test: one copy of the answer would be over it.
const std::string budget = "[limits]\nwhole_read_bytes = 2000000\n";
constexpr uint64_t times = sanitized ? 20 : 1;
constexpr uint64_t room_kb = 50'000 * times;  // for a block each; their answers would be 288 MB

// The answer's text ends with this, so that a cut shows.
const std::string last_words = "the end";

ModelServer::Answer long_answer() {
  return [](ModelServer::Call& call) {
    const std::string piece(16'000, 'w');
    for (size_t said = 0; said < stream_mib * mib; said += piece.size()) {
      if (!call.text(piece)) return;
    }
    call.text(last_words);
    call.finish();
  };
}

// Asks the list: a state brings the whole text.
bool wait_completed(Relay& relay) {
  return wait_until([&] { return relay.get("/v1/streams?limit=1").json()["streams"][0]["status"] == "completed"; },
                    60s);
}

// A client that asks and does not take the answer.
HttpConnection unread(Relay& relay, const Request& request) {
  HttpConnection connection(relay.port(), 4096);
  connection.send(request);
  return connection;
}

// One read alone shows what putting such an answer into words costs for a moment.
uint64_t rss_after_one(Relay& relay, const std::string& target) {
  const auto whole = relay.get(target);
  REQUIRE(whole.status == 200);
  REQUIRE(whole.body.size() > stream_mib * mib);
  return relay.process().rss_kb();
}

// Reads with every other client silent, and then one of them to its end.
void check_silent_readers(Relay& relay, const std::vector<std::string>& targets) {
  const uint64_t before = rss_after_one(relay, targets.front());
  std::vector<HttpConnection> silent;
  for (int i = 0; i < clients; ++i) {
    silent.push_back(unread(relay, {.target = targets[static_cast<size_t>(i) % targets.size()]}));
  }
  for (auto& connection : silent) {
    const auto head = connection.read_head(20s);
    REQUIRE(head);
    CHECK(head->status == 200);
  }
  CHECK(relay.get("/healthz").status == 200);
  CHECK(relay.get(targets.front()).body.size() > stream_mib * mib);
  const uint64_t most = relay.process().rss_kb();
  CHECK(most < before + room_kb);
  CHECK(relay.metric("tokenrelay_whole_reads_refused_total") == 0);
  const std::string body = silent.front().read_body(60s);
  CHECK(silent.front().end() == BodyEnd::clean);
  CHECK(body.find(last_words) != std::string::npos);
}

}  // namespace

TEST_CASE("states that nobody takes cost a block each, and come whole to who takes them late", "[whole_reads]") {
  ModelServer model(long_answer());
  Relay relay({.upstream = model.upstream(), .config = budget});
  const std::string id = relay.create();
  REQUIRE(wait_completed(relay));
  check_silent_readers(relay, {"/v1/streams/" + id});
}

TEST_CASE("the same on surfaces, whole and as a stream that repeats the text at its end", "[whole_reads]") {
  ModelServer model(long_answer());
  Relay relay({.upstream = model.upstream(), .config = budget});
  const std::string id = relay.create();
  REQUIRE(wait_completed(relay));
  const std::string target = "/v1/responses/resp_" + id.substr(5);
  check_silent_readers(relay, {target, target + "?stream=true"});
}

TEST_CASE("an answer that does not stream comes whole, whoever else is silent", "[whole_reads]") {
  ModelServer model(long_answer());
  Relay relay({.upstream = model.upstream(), .config = budget});
  const std::string id = relay.create();
  REQUIRE(wait_completed(relay));
  auto silent = unread(relay, {.target = "/v1/streams/" + id});
  REQUIRE(silent.read_head(20s)->status == 200);
  const Json body = {{"model", "m"}, {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}};
  const auto whole = fetch(relay.port(),
                           {.method = "POST",
                            .target = "/v1/chat/completions",
                            .fields = {{"Content-Type", "application/json"}},
                            .body = body.dump()},
                           60s);
  REQUIRE(whole.status == 200);
  const std::string text = whole.json().at("choices")[0].at("message").at("content");
  CHECK(text.size() >= stream_mib * mib);
  CHECK(text.ends_with(last_words));
}

TEST_CASE("what must be held counts: over the budget a read is told to come back", "[whole_reads]") {
  constexpr int calls = 1'000;  // each too short to be left in the log
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < calls; ++i) {
      const Json one = {{"index", i},
                        {"id", "call_" + std::to_string(i)},
                        {"function", {{"name", "f"}, {"arguments", "\"" + std::string(500, 'a') + "\""}}}};
      call.chunk({{"tool_calls", Json::array({one})}});
    }
    call.finish("tool_calls");
  });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nwhole_read_bytes = 65536\n"});
  const std::string id = relay.create();
  REQUIRE(wait_completed(relay));
  const std::string target = "/v1/streams/" + id;
  CHECK(relay.get(target).json().at("tool_calls").size() == calls);  // over the budget, but alone
  {
    auto silent = unread(relay, {.target = target});
    REQUIRE(silent.read_head(20s)->status == 200);
    const auto refused = relay.get(target);
    CHECK(refused.status == 503);
    CHECK(refused.head.get("Retry-After"));
    CHECK(refused.json().at("code") == "overloaded");
    CHECK(relay.get("/v1/streams?limit=1").status == 200);  // a small answer waits for nobody
    CHECK(relay.metric("tokenrelay_whole_reads_refused_total") > 0);
  }
  CHECK(wait_until([&] { return relay.get(target).status == 200; }, 10s));
  CHECK(wait_until([&] { return relay.metric("tokenrelay_whole_read_bytes") == 0; }, 10s));
}

TEST_CASE("readers of Responses hold no copy of a live answer, and their last events repeat it", "[whole_reads]") {
  constexpr int readers_count = 6;
  ModelServer model([](ModelServer::Call& call) {
    if (call.wait_released()) long_answer()(call);
  });
  Relay relay({.upstream = model.upstream(), .config = budget});
  const std::string id = relay.create();
  REQUIRE(model.wait_calls(1));
  const std::string target = "/v1/responses/resp_" + id.substr(5) + "?stream=true";
  std::vector<HttpConnection> readers;
  for (int i = 0; i < readers_count; ++i) {
    readers.push_back(HttpConnection(relay.port()));
    readers.back().send({.target = target});
    REQUIRE(readers.back().read_head(10s));
  }
  const uint64_t before = relay.process().rss_kb();
  model.release();
  std::vector<std::string> bodies(readers_count);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < readers.size(); ++i) {
    threads.emplace_back([&, i] { bodies[i] = readers[i].read_body(90s); });
  }
  for (auto& thread : threads) thread.join();
  CHECK(relay.process().rss_kb() < before + room_kb + stream_mib * 1024);  // the log's own share
  for (size_t i = 0; i < readers.size(); ++i) {
    CHECK(readers[i].end() == BodyEnd::clean);
    CHECK(bodies[i].size() > 4 * stream_mib * mib);  // the deltas, and three events that repeat them
    CHECK(bodies[i].find("event: response.completed") != std::string::npos);
  }
  CHECK(wait_until([&] { return relay.metric("tokenrelay_whole_read_bytes") == 0; }, 10s));
}

TEST_CASE("memory goes back to the system within ten seconds of large requests", "[whole_reads]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("ok");
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  REQUIRE(relay.wait_status(relay.create(), "completed"));
  const uint64_t before = relay.process().rss_kb();
  std::string turns = "[";
  for (int i = 0; i < 30'000; ++i) turns += R"({"role":"user","content":"abcdefghijklmnopqrstuvwxyz"},)";
  turns.back() = ']';
  for (int i = 0; i < 8; ++i) {
    CHECK(relay.post("/v1/streams", {{"prompt", std::string(9 << 20, 'p')}}).status == 201);
    CHECK(relay.post("/v1/streams", {{"messages", Json::parse(turns)}}).status == 201);
  }
  CHECK(wait_until([&] { return relay.process().rss_kb() < before + 32'000 * times; }, 12s, 100ms));
}
