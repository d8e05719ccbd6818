// WebSocket: control and events over one socket, RFC 6455 in full.
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/ws_client.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

ModelServer::Answer released() {
  return [](ModelServer::Call& call) {
    call.text("one ");
    if (call.wait_released()) call.text("two"), call.finish();
  };
}

std::string ws_path(const std::string& id) {
  return "/v1/streams/" + id + "/ws";
}

}  // namespace

TEST_CASE("the handshake, and hello", "[websocket]") {
  ModelServer model(released());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  WsClient plain(relay.port(), ws_path(id));
  REQUIRE(plain.status() == 101);
  CHECK(plain.head()->get("Sec-WebSocket-Accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(plain.head()->count("Sec-WebSocket-Protocol") == 0);
  CHECK(plain.head()->count("Sec-WebSocket-Extensions") == 0);
  CHECK(plain.head()->get("Request-Id"));
  const auto hello = plain.next();
  REQUIRE(hello);
  CHECK(hello->json().value("type", "") == "hello");
  CHECK(hello->json().value("stream", "") == id);
  CHECK(hello->json().value("status", "") == "streaming");
  CHECK(hello->json().contains("last_event_id"));
  CHECK(hello->json().value("request_id", "") == plain.head()->get("Request-Id"));

  WsClient offered(relay.port(), ws_path(id),
                   {{"Sec-WebSocket-Protocol", "other, tokenrelay.v1"},
                    {"Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits"}});
  CHECK(offered.head()->get("Sec-WebSocket-Protocol") == "tokenrelay.v1");
  CHECK(offered.head()->count("Sec-WebSocket-Extensions") == 0);
}

TEST_CASE("a refused upgrade is a plain answer with a problem body", "[websocket]") {
  ModelServer model(released());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  auto refused = [&](const std::string& target, Fields fields) {
    const auto answer = fetch(relay.port(), {.target = target, .fields = std::move(fields)});
    CHECK(answer.head.get("Content-Type").value_or("").starts_with("application/problem+json"));
    return answer.status;
  };
  const Fields good = {{"Upgrade", "websocket"},
                       {"Connection", "keep-alive, Upgrade"},
                       {"Sec-WebSocket-Version", "13"},
                       {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}};
  auto with = [&](const std::string& name, const std::string& value) {
    Fields fields = good;
    for (auto& [n, v] : fields) v = n == name ? value : v;
    if (std::none_of(fields.begin(), fields.end(), [&](const auto& f) { return f.first == name; }))
      fields.emplace_back(name, value);
    return fields;
  };
  CHECK(refused(ws_path(id), {}) == 426);
  CHECK(refused(ws_path(id), with("Sec-WebSocket-Version", "8")) == 426);
  CHECK(refused(ws_path(id), with("Sec-WebSocket-Key", "short")) == 400);
  CHECK(refused(ws_path(id), with("Origin", "https://evil.example")) == 403);
  CHECK(refused(ws_path(id), with("Host", "evil.example")) == 421);
  CHECK(refused(ws_path("strm_AAAAAAAAAAAAAAAAAAAAAA"), good) == 404);
  fetch(relay.port(), {.method = "DELETE", .target = "/v1/streams/" + id});
  CHECK(refused(ws_path(id), good) == 410);
}

TEST_CASE("subscribe brings the same events as SSE, and 1000 after done", "[websocket]") {
  ModelServer model(released());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  Follower sse({.port = relay.port(), .stream_id = id, .query = "coalesce=0"});
  WsClient ws(relay.port(), ws_path(id));
  REQUIRE(ws.next_of("hello"));
  ws.send_json({{"type", "subscribe"}, {"ref", "c"}});
  std::vector<Json> events;
  bool acked = false;
  while (events.empty() || events.back().value("event", "") != "done") {
    const auto frame = ws.next();
    REQUIRE(frame);
    REQUIRE(frame->opcode == 1);
    const Json message = frame->json();
    if (message.value("type", "") == "ack") {
      CHECK(message.value("ref", "") == "c");
      CHECK_FALSE(acked);
      acked = true;
    } else {
      REQUIRE(message.value("type", "") == "event");
      events.push_back(message);
    }
    if (events.size() == 3) model.release();
  }
  CHECK(acked);
  CHECK(ws.close_code() == 1000);
  REQUIRE(sse.wait_finished(5s));
  const auto expected = sse.events();
  REQUIRE(events.size() == expected.size());
  CHECK(events[0].at("event") == "resumed");
  CHECK_FALSE(events[0].contains("id"));
  for (size_t i = 1; i < events.size(); ++i) {  // `resumed` says when each came
    CHECK(events[i].at("id") == *expected[i].id);
    CHECK(events[i].at("data") == expected[i].json());
  }
  SECTION("from a cursor") {
    WsClient late(relay.port(), ws_path(id));
    late.send_json({{"type", "subscribe"}, {"ref", "d"}, {"last_event_id", *expected[2].id}});
    const auto resumed = late.next_of("event");
    REQUIRE(resumed);
    CHECK(resumed->at("data").at("verdict") == "exact");
    const auto next = late.next_of("event");
    REQUIRE(next);
    CHECK(next->at("data").at("delta") == "two");
    CHECK(late.close_code() == 1000);
  }
}

TEST_CASE("every command gets exactly one ack or error; a bad message leaves the socket alive", "[websocket]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    call.wait_closed(20s);
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  WsClient ws(relay.port(), ws_path(id));
  REQUIRE(ws.next_of("hello"));
  for (const std::string& bad :
       Strings{"", "nonsense", "[]", "5", "{}", R"({"type":"fly","ref":"f"})", R"({"type":"steer","ref":"f"})",
               R"({"type":"steer","ref":"f","content":5})", R"({"type":"cancel","ref":5})",
               R"({"type":"subscribe","ref":"f","last_event_id":"nonsense"})", R"({"type":"unsubscribe","ref":"f"})",
               std::string(60'000, '[')}) {
    INFO(bad.substr(0, 80));
    ws.send_text(bad);
    const auto frame = ws.next();
    REQUIRE(frame);
    REQUIRE(frame->opcode == 1);
    if (bad.find("unsubscribe") != std::string::npos) continue;  // an ack would be as good
    CHECK(frame->json().value("type", "") == "error");
    CHECK(frame->json().at("code").is_string());
    CHECK(frame->json().at("message").is_string());
    if (bad.find("\"f\"") != std::string::npos) CHECK(frame->json().value("ref", "") == "f");
  }
  ws.send_json({{"type", "steer"}, {"ref", "s"}, {"content", "go on"}});
  const auto steered = ws.next_of("ack");
  REQUIRE(steered);
  CHECK(steered->at("ref") == "s");
  CHECK(steered->at("event_id").is_string());
  REQUIRE(model.wait_calls(2));
  for (int i = 0; i < 3; ++i) ws.send_json({{"type", "cancel"}, {"ref", "c" + std::to_string(i)}});
  for (int i = 0; i < 3; ++i) {
    const auto ack = ws.next_of("ack");
    REQUIRE(ack);
    CHECK(ack->at("ref") == "c" + std::to_string(i));
    CHECK(ack->at("status") == "cancelled");
  }
  CHECK(relay.state(id).at("status") == "cancelled");
}

TEST_CASE("frames: fragments, interleaved pings, the close handshake", "[websocket]") {
  ModelServer model(released());
  Relay relay({.upstream = model.upstream()});
  WsClient ws(relay.port(), ws_path(relay.create()));
  REQUIRE(ws.next_of("hello"));
  ws.send_frame(1, R"({"type":"subsc)", false);
  ws.send_frame(9, "are you there");
  const auto pong = ws.next();
  REQUIRE(pong);
  CHECK(pong->opcode == 10);
  CHECK(pong->payload == "are you there");
  ws.send_frame(0, "ribe\",\"re", false);
  ws.send_frame(0, "f\":\"\xc3", false);
  ws.send_frame(0, "\xa9\"}", true);  // é, split over two fragments
  const auto ack = ws.next_of("ack");
  REQUIRE(ack);
  CHECK(ack->at("ref") == "é");
  ws.send_frame(8, std::string("\x03\xe8", 2) + "bye");
  CHECK(ws.close_code() == 1000);
}

TEST_CASE("protocol violations close with their code", "[websocket]") {
  ModelServer model(released());
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  auto code_for = [&](auto send) {
    WsClient ws(relay.port(), ws_path(id));
    REQUIRE(ws.next_of("hello"));
    send(ws);
    return ws.close_code(5s).value_or(0);
  };
  CHECK(code_for([](WsClient& ws) { ws.send_frame(1, "{}", true, false); }) == 1002);      // not masked
  CHECK(code_for([](WsClient& ws) { ws.send_frame(3, "x"); }) == 1002);                    // reserved opcode
  CHECK(code_for([](WsClient& ws) { ws.send_frame(0, "x"); }) == 1002);                    // nothing to continue
  CHECK(code_for([](WsClient& ws) { ws.send_frame(9, std::string(126, 'p')); }) == 1002);  // a long ping
  CHECK(code_for([](WsClient& ws) { ws.send_frame(9, "p", false); }) == 1002);             // a fragmented ping
  CHECK(code_for([](WsClient& ws) { ws.send_frame(1, "x", false), ws.send_frame(1, "y"); }) ==
        1002);  // a message in a message
  CHECK(code_for([](WsClient& ws) { ws.send_raw(std::string("\xf1\x80\0\0\0\0", 6)); }) == 1002);  // RSV bits
  CHECK(code_for([](WsClient& ws) { ws.send_frame(8, std::string("\x03\xec", 2)); }) == 1002);  // 1004 may not be sent
  CHECK(code_for([](WsClient& ws) { ws.send_frame(8, "\x03"); }) == 1002);                      // half a code
  CHECK(code_for([](WsClient& ws) { ws.send_frame(1, "\xff"); }) == 1007);
  CHECK(code_for([](WsClient& ws) { ws.send_frame(1, "\xed\xa0\x80"); }) == 1007);  // a surrogate
  CHECK(code_for([](WsClient& ws) { ws.send_frame(2, "bytes"); }) == 1003);
  CHECK(code_for([](WsClient& ws) { ws.send_raw(std::string("\x81\xff\0\0\1\0\0\0\0\0mask", 14)); }) == 1009);  // 2^40
  CHECK(code_for([](WsClient& ws) { ws.send_frame(1, std::string((64 << 10) + 1, 'x')); }) == 1009);
  CHECK(code_for([](WsClient& ws) {
          for (int i = 0; i < 70; ++i) ws.send_frame(i == 0 ? 1 : 0, std::string(1000, 'x'), false);
        }) == 1009);
  CHECK(relay.state(id).at("status") == "streaming");
}

TEST_CASE("on_disconnect: a subscribed socket counts, a control-only one does not", "[websocket]") {
  ModelServer model([](ModelServer::Call& call) { call.wait_closed(20s); });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create({{"prompt", "x"}, {"on_disconnect", "cancel"}});
  WsClient control(relay.port(), ws_path(id));
  REQUIRE(control.next_of("hello"));
  WsClient subscribed(relay.port(), ws_path(id));
  subscribed.send_json({{"type", "subscribe"}, {"ref", "a"}});
  REQUIRE(subscribed.next_of("event"));
  {
    SseConnection sse(relay.port(), events_request(id));
    REQUIRE(sse.next());
  }
  CHECK_FALSE(wait_until([&] { return relay.state(id).at("status") != "streaming"; }, 700ms));
  subscribed.socket().reset();
  CHECK(relay.wait_status(id, "cancelled", 3s));
}

TEST_CASE("a drain's end closes with 1001, after done", "[websocket]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    call.wait_closed(20s);
  });
  Relay relay({.upstream = model.upstream(), .config = "drain_timeout_ms = 300\n"});
  const std::string id = relay.create();
  WsClient subscribed(relay.port(), ws_path(id)), control(relay.port(), ws_path(id));
  subscribed.send_json({{"type", "subscribe"}, {"ref", "a"}});
  REQUIRE(subscribed.next_of("event"));
  REQUIRE(control.next_of("hello"));
  CHECK(relay.stop() == 0);
  bool done = false;
  std::optional<int> code;
  while (auto frame = subscribed.next(5s)) {
    if (frame->opcode == 8) code = frame->close_code();
    if (frame->opcode == 1) done |= frame->json().value("event", "") == "done";
  }
  CHECK(done);
  CHECK((code == 1000 || code == 1001));
  CHECK(control.close_code() == 1001);
}
