// The control socket against a client that is hostile, hasty, or slow.
#include <set>

#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sanitized.h"
#include "tests/support/ws_client.h"

using namespace tokenrelay::support;

namespace {

ModelServer::Answer ticking(milliseconds pace = 10ms) {
  return [pace](ModelServer::Call& call) {
    for (int i = 0; call.pause(pace); ++i) {
      if (!call.text("t" + std::to_string(i) + " ")) return;
    }
  };
}

std::string ws_path(const std::string& id) {
  return "/v1/streams/" + id + "/ws";
}

Fields handshake() {
  return {{"Upgrade", "websocket"},
          {"Connection", "Upgrade"},
          {"Sec-WebSocket-Version", "13"},
          {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
}

}  // namespace

TEST_CASE("refused upgrades, over the wire", "[ws_control]") {
  ModelServer model(ticking());
  Relay relay({.upstream = model.upstream(), .config = "cors_origins = [\"https://app.example\"]\n"});
  const std::string id = relay.create();
  auto status = [&](Fields fields, const std::string& version = "HTTP/1.1", const std::string& method = "GET") {
    const auto answer =
        fetch(relay.port(), {.method = method, .target = ws_path(id), .fields = std::move(fields), .version = version});
    if (answer.status == 426) {
      CHECK(answer.head.get("Sec-WebSocket-Version") == "13");
      CHECK(answer.head.get("Upgrade") == "websocket");
    }
    if (method == "GET") CHECK(answer.json().at("status") == answer.status);
    return answer.status;
  };
  auto with = [](const std::string& name, const std::string& value) {
    Fields fields = handshake();
    fields.emplace_back(name, value);
    return fields;
  };
  auto accepted = [&](const std::string& origin) {
    return WsClient(relay.port(), ws_path(id), {{"Origin", origin}}).status();
  };
  CHECK(status(handshake(), "HTTP/1.0") == 426);
  CHECK(status({}) == 426);
  CHECK(status(with("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")) == 400);
  CHECK(accepted("https://app.example") == 101);
  CHECK(accepted("http://127.0.0.1:" + std::to_string(relay.port())) == 101);
  CHECK(status(with("Origin", "https://evil.example")) == 403);
  CHECK(status(with("Origin", "null")) == 403);
  CHECK(status(handshake(), "HTTP/1.1", "HEAD") == 400);
  CHECK(status(handshake(), "HTTP/1.1", "POST") == 405);
}

TEST_CASE("subscribing to an ended stream replays it and closes by 1000", "[ws_control]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 5; ++i) call.text(std::string(20'000, static_cast<char>('a' + i)));
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  REQUIRE(relay.wait_status(id, "completed"));
  WsClient ws(relay.port(), ws_path(id), {}, 4096);
  REQUIRE(ws.next_of("hello"));
  ws.send_json({{"type", "subscribe"}, {"ref", "s"}});
  std::string text, last;
  while (const auto event = ws.next_of("event", 10s)) {
    if (event->at("event") == "message") text += event->at("data").at("delta").get<std::string>();
    last = event->at("event");
    if (last == "done") break;
  }
  CHECK(last == "done");
  CHECK(relay.state(id).at("text") == text);
  CHECK(ws.close_code(5s) == 1000);
}

TEST_CASE("every command is answered once before a close, whoever closes", "[ws_control]") {
  ModelServer model(ticking());
  Relay relay({.upstream = model.upstream(), .fault_injection = true});
  for (const std::string& end :
       {ws_frame(8, std::string("\x03\xe8")), ws_frame(1, "\xff"), ws_frame(1, "x", true, false), ws_frame(2, "b")}) {
    const std::string id = relay.create();
    WsClient ws(relay.port(), ws_path(id));
    REQUIRE(ws.next_of("hello"));
    write_text(relay.fault_dir() / "sync_delay_ms", "100");
    std::string burst;
    for (int i = 0; i < 5; ++i)
      burst += ws_frame(1, Json{{"type", "steer"}, {"ref", std::to_string(i)}, {"content", "s"}}.dump());
    burst += ws_frame(1, Json{{"type", "cancel"}, {"ref", "c"}}.dump());
    ws.send_raw(burst + end);
    std::multiset<std::string> answered;
    while (const auto frame = ws.next(20s)) {
      if (frame->opcode == 8) break;
      answered.insert(frame->json().at("ref").get<std::string>());
    }
    CHECK(answered == std::multiset<std::string>{"0", "1", "2", "3", "4", "c"});
    std::filesystem::remove(relay.fault_dir() / "sync_delay_ms");
  }
}

TEST_CASE("a flood of commands: each is answered once, those beyond the rate by rate_limited", "[ws_control]") {
  ModelServer model(ticking());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  WsClient ws(relay.port(), ws_path(id));
  REQUIRE(ws.next_of("hello"));
  constexpr int count = 1000;
  std::thread sender([&] {
    for (int i = 0; i < count; ++i)
      ws.send_raw(ws_frame(1, Json{{"type", "unsubscribe"}, {"ref", std::to_string(i)}}.dump()));
  });
  std::set<std::string> answered;
  int limited = 0, refused = 0;
  while (answered.size() < count) {
    const auto error = ws.next_of("error", 20s);
    if (!error) break;
    CHECK(answered.insert(error->at("ref")).second);
    limited += error->at("code") == "rate_limited" ? 1 : 0;
    refused += error->at("code") == "not_subscribed" ? 1 : 0;
  }
  sender.join();
  CHECK(answered.size() == count);
  CHECK(refused >= 100);  // the burst
  CHECK(limited > 0);
  CHECK(limited + refused == count);
  CHECK(relay.state(id).at("status") == "streaming");
}

TEST_CASE("limits of a steer, by their codes", "[ws_control]") {
  ModelServer model(ticking());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  const std::string target = "/v1/streams/" + id + "/steer";
  CHECK(relay.post(target, {{"content", std::string((32 << 10) + 1, 'x')}}).status == 413);
  CHECK(relay.post(target, {{"content", std::string(32 << 10, 'x')}}).status == 202);
  CHECK(relay.post(target, {{"content", ""}}).status == 400);
  CHECK(relay.post(target, {{"content", "x"}, {"role", "system"}}).status == 400);
  for (int i = 1; i < 16; ++i) CHECK(relay.post(target, {{"content", "x"}}).status == 202);
  const auto over = relay.post(target, {{"content", "x"}});
  CHECK(over.status == 409);
  CHECK(over.json().at("code") == "steer_limit");
  WsClient ws(relay.port(), ws_path(id));
  ws.send_json({{"type", "steer"}, {"ref", "a"}, {"content", "x"}});
  auto error = ws.next_of("error");
  REQUIRE(error);
  CHECK(error->at("code") == "steer_limit");
  fetch(relay.port(), {.method = "POST", .target = "/v1/streams/" + id + "/cancel"});
  const auto ended = relay.post(target, {{"content", "x"}});
  CHECK(ended.status == 409);
  CHECK(ended.json().at("code") == "stream_ended");
  ws.send_json({{"type", "steer"}, {"ref", "b"}, {"content", "x"}});
  error = ws.next_of("error");
  REQUIRE(error);
  CHECK(error->at("code") == "stream_ended");
  CHECK(error->at("ref") == "b");
}

TEST_CASE("a subscribed socket that does not read slows nobody, and loses nothing", "[ws_control]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 400 && call.pause(5ms); ++i) call.text(std::string(8'000, 'x') + std::to_string(i) + " ");
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  WsClient slow(relay.port(), ws_path(id), {}, 4096);
  slow.send_json({{"type", "subscribe"}, {"ref", "s"}});
  Follower quick({.port = relay.port(), .stream_id = id});
  REQUIRE(quick.wait_finished(30s));
  std::string text;
  std::optional<Json> done;
  while (!done) {
    const auto event = slow.next_of("event", 10s);
    REQUIRE(event);
    if (event->at("event") == "message") text += event->at("data").at("delta").get<std::string>();
    if (event->at("event") == "done") done = event->at("data");
  }
  CHECK(text == quick.transcript().text);
  CHECK(slow.close_code(5s) == 1000);
}

TEST_CASE("an idle control socket costs under 10 KiB", "[ws_control]") {
  ModelServer model([](ModelServer::Call& call) { call.text("x"), call.wait_closed(60s); });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  auto open = [&](size_t count, std::vector<std::unique_ptr<WsClient>>& sockets) {
    for (size_t i = 0; i < count; ++i) {
      sockets.push_back(std::make_unique<WsClient>(relay.port(), ws_path(id)));
      REQUIRE(sockets.back()->next_of("hello"));
    }
  };
  std::vector<std::unique_ptr<WsClient>> warm, sockets;
  open(300, warm);  // what the process allocates once is not a socket's cost
  const auto before = relay.process().rss_kb();
  open(1000, sockets);
  const auto after = relay.process().rss_kb();
  const double each = static_cast<double>(after - before) / 1000;
  WARN("an idle control socket: " << each << " KiB");
  CHECK(each < (sanitized ? 40 : 10));
  const auto descriptors = relay.process().descriptors();
  sockets.clear();
  warm.clear();
  CHECK(wait_until([&] { return relay.process().descriptors() + 1300 <= descriptors; }, 10s));
  CHECK(wait_until([&] { return relay.metric("tokenrelay_websockets") == 0; }, 5s));
}
