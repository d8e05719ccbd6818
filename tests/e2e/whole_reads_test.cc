// Answers that are read whole by clients that do not take them: memory stays within the budget, others are served, and
// who is refused knows when to come back.
#include <optional>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

constexpr size_t mib = 1 << 20;
constexpr size_t stream_mib = 12;
constexpr int clients = 24;

// What the relay may hold for whole reads: about four of the stream's states, unread.
const std::string budget = "[limits]\nwhole_read_bytes = 60000000\n";

ModelServer::Answer long_answer() {
  return [](ModelServer::Call& call) {
    const std::string piece(16'000, 'w');
    for (size_t said = 0; said < stream_mib * mib; said += piece.size()) {
      if (!call.text(piece)) return;
    }
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

struct Heads {
  int served = 0, refused = 0;
  std::vector<std::string> bodies;  // of those refused
};

Heads heads_of(std::vector<HttpConnection>& connections) {
  Heads heads;
  for (auto& connection : connections) {
    const auto head = connection.read_head(20s);
    REQUIRE(head);
    heads.served += head->status == 200;
    if (head->status != 503) continue;
    ++heads.refused;
    CHECK(head->get("Retry-After"));
    heads.bodies.push_back(connection.read_body());
  }
  return heads;
}

// One read alone shows what putting such an answer into words costs for a moment; the rest is what the budget allows.
uint64_t rss_after_one(Relay& relay, const std::string& target) {
  const auto whole = relay.get(target);
  REQUIRE(whole.status == 200);
  REQUIRE(whole.body.size() > stream_mib * mib);
  return relay.process().rss_kb();
}

}  // namespace

TEST_CASE("states that nobody takes: bounded memory, others are served, the rest is told to come back",
          "[whole_reads]") {
  ModelServer model(long_answer());
  Relay relay({.upstream = model.upstream(), .config = budget});
  const std::string id = relay.create();
  REQUIRE(wait_completed(relay));
  const std::string target = "/v1/streams/" + id;
  const uint64_t before = rss_after_one(relay, target);

  uint64_t most = 0;
  {
    std::vector<HttpConnection> silent;
    for (int i = 0; i < clients; ++i) silent.push_back(unread(relay, {.target = target}));
    REQUIRE(wait_until(
        [&] {
          most = std::max(most, relay.process().rss_kb());
          return relay.metric("tokenrelay_whole_reads_refused_total") > 0;
        },
        30s));
    const auto asked = Clock::now();
    CHECK(relay.get("/healthz").status == 200);
    CHECK(ms_since(asked) < 5'000);
    CHECK(relay.get("/v1/streams?limit=1").status == 200);  // a small answer waits for nobody
    const Heads heads = heads_of(silent);
    most = std::max(most, relay.process().rss_kb());
    WARN(heads.served << " served, " << heads.refused << " refused; RSS " << before / 1000 << " then at most "
                      << most / 1000 << " MB");
    CHECK(heads.served >= 2);
    CHECK(heads.refused >= clients / 2);
    CHECK(heads.served + heads.refused == clients);
    for (const auto& body : heads.bodies) CHECK(Json::parse(body).at("code") == "overloaded");
    CHECK(relay.metric("tokenrelay_whole_read_bytes") > 0);
    CHECK(relay.metric("tokenrelay_whole_read_bytes") <= 60e6);
  }
  CHECK(most < before + 60'000 + 90'000);  // 24 of them would be 300 MB
  CHECK(wait_until([&] { return relay.metric("tokenrelay_whole_read_bytes") == 0; }, 10s));
  CHECK(relay.get(target).status == 200);
}

TEST_CASE("the same on surfaces, in their protocol's shape", "[whole_reads]") {
  ModelServer model(long_answer());
  Relay relay({.upstream = model.upstream(), .config = budget});
  const std::string id = relay.create();
  REQUIRE(wait_completed(relay));
  const std::string target = "/v1/responses/resp_" + id.substr(5);
  const uint64_t before = rss_after_one(relay, target);
  std::vector<HttpConnection> silent;
  for (int i = 0; i < clients / 2; ++i) {
    silent.push_back(unread(relay, {.target = target}));
    silent.push_back(unread(relay, {.target = target + "?stream=true"}));
  }
  const Heads heads = heads_of(silent);
  CHECK(heads.served >= 1);
  CHECK(heads.refused >= clients / 2);
  for (const auto& body : heads.bodies) CHECK(Json::parse(body).at("error").at("code") == "overloaded");
  CHECK(relay.process().rss_kb() < before + 60'000 + 90'000);
  silent.clear();
  CHECK(wait_until([&] { return relay.get(target).status == 200; }, 10s));
}

TEST_CASE("an answer that does not stream waits for its turn, and comes whole", "[whole_reads]") {
  ModelServer model(long_answer());
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nwhole_read_bytes = 30000000\n"});
  const std::string id = relay.create();
  REQUIRE(wait_completed(relay));
  auto silent = std::make_optional(unread(relay, {.target = "/v1/streams/" + id}));
  REQUIRE(silent->read_head(20s)->status == 200);
  HttpConnection whole(relay.port());
  const Json body = {{"model", "m"}, {"messages", Json::array({{{"role", "user"}, {"content", "x"}}})}};
  whole.send({.method = "POST",
              .target = "/v1/chat/completions",
              .fields = {{"Content-Type", "application/json"}},
              .body = body.dump()});
  REQUIRE(wait_until([&] { return relay.metric("tokenrelay_streams_live") == 0 && model.calls() == 2; }, 60s));
  CHECK_FALSE(whole.read_head(3s));
  silent.reset();
  const auto head = whole.read_head(20s);
  REQUIRE(head);
  CHECK(head->status == 200);
  CHECK(Json::parse(whole.read_body(30s)).at("choices")[0].at("message").at("content").get<std::string>().size() >=
        stream_mib * mib);
}

TEST_CASE("a stream that is larger than the whole budget is read when nothing else is", "[whole_reads]") {
  ModelServer model(long_answer());
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nwhole_read_bytes = 65536\n"});
  const std::string id = relay.create();
  REQUIRE(wait_completed(relay));
  CHECK(relay.get("/v1/streams/" + id).body.size() > stream_mib * mib);
  auto silent = unread(relay, {.target = "/v1/streams/" + id});
  REQUIRE(silent.read_head(20s)->status == 200);
  CHECK(relay.get("/v1/streams/" + id).status == 503);
}

TEST_CASE("readers of Responses keep the text: over the budget they are cut, and native ones are not",
          "[whole_reads]") {
  ModelServer model([](ModelServer::Call& call) {
    if (call.wait_released()) long_answer()(call);
  });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nwhole_read_bytes = 30000000\n"});
  const std::string id = relay.create();
  REQUIRE(model.wait_calls(1));
  const std::string target = "/v1/responses/resp_" + id.substr(5) + "?stream=true";
  std::vector<HttpConnection> readers;
  for (int i = 0; i < 6; ++i) {
    readers.push_back(HttpConnection(relay.port()));
    readers.back().send({.target = target});
    REQUIRE(readers.back().read_head(10s));
  }
  HttpConnection native(relay.port());
  native.send(events_request(id));
  REQUIRE(native.read_head(10s));
  model.release();
  std::vector<std::thread> threads;
  const auto read = [&](HttpConnection& connection) {
    threads.emplace_back([&connection] { connection.read_body(90s); });
  };
  for (auto& reader : readers) read(reader);
  read(native);
  for (auto& thread : threads) thread.join();
  CHECK(native.end() == BodyEnd::clean);
  int cut = 0;
  for (const auto& reader : readers) {
    CHECK((reader.end() == BodyEnd::clean || reader.end() == BodyEnd::reset));
    cut += reader.end() == BodyEnd::reset;
  }
  CHECK(cut >= 3);  // six times 12 MiB are not 30 MB
  CHECK(relay.metric("tokenrelay_cuts_total") >= cut);
  CHECK(wait_until([&] { return relay.metric("tokenrelay_whole_read_bytes") == 0; }, 10s));
  HttpConnection again(relay.port());
  again.send({.target = target});
  REQUIRE(again.read_head(10s)->status == 200);
  CHECK(again.read_body(60s).find("response.completed") != std::string::npos);
}
