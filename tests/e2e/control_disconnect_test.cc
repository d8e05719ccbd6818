// on_disconnect, clause by clause (PROTOCOL.md, Control: when nobody reads), over SSE and WebSocket.
#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"
#include "tests/support/ws_client.h"

using namespace tokenrelay::support;

namespace {

struct Watched {
  ModelServer model{[](ModelServer::Call& call) { call.text("x"), call.wait_closed(60s); }};
  Relay relay{{.upstream = model.upstream()}};

  std::string create(const Json& on_disconnect) {
    return relay.create({{"prompt", "p"}, {"on_disconnect", on_disconnect}});
  }
  std::string status(const std::string& id) { return relay.state(id).at("status"); }
  bool lives_on(const std::string& id, milliseconds time) {
    return !wait_until([&] { return status(id) != "streaming"; }, time, 20ms);
  }
  std::unique_ptr<SseConnection> read(const std::string& id) {
    auto reader = std::make_unique<SseConnection>(relay.port(), events_request(id));
    REQUIRE(reader->next());
    return reader;
  }
  std::unique_ptr<WsClient> socket(const std::string& id, bool subscribed) {
    auto ws = std::make_unique<WsClient>(relay.port(), "/v1/streams/" + id + "/ws");
    REQUIRE(ws->next_of("hello"));
    if (subscribed) {
      ws->send_json({{"type", "subscribe"}, {"ref", "s"}});
      REQUIRE(ws->next_of("event"));
    }
    return ws;
  }
};

}  // namespace

TEST_CASE("continue, the default: nobody reads and it goes on", "[control_disconnect]") {
  Watched w;
  for (const std::string& id : {w.create("continue"), w.relay.create()}) {
    w.read(id);
    CHECK(w.lives_on(id, 600ms));
  }
}

TEST_CASE("cancel: the last reader leaves, by SSE or WebSocket, in any order", "[control_disconnect]") {
  Watched w;
  const std::string sse = w.create("cancel"), ws = w.create("cancel"), both = w.create("cancel"),
                    unread = w.create("cancel");
  w.read(sse);
  const auto left = Clock::now();
  CHECK(w.relay.wait_status(sse, "cancelled", 5s));
  CHECK(ms_since(left) >= 200);
  w.socket(ws, true);
  CHECK(w.relay.wait_status(ws, "cancelled", 5s));
  auto reader = w.read(both);
  auto subscribed = w.socket(both, true);
  reader.reset();
  CHECK(w.lives_on(both, 500ms));
  subscribed->send_json({{"type", "unsubscribe"}, {"ref", "u"}});  // the socket stays, but does not read
  CHECK(w.relay.wait_status(both, "cancelled", 5s));
  CHECK(w.status(unread) == "streaming");  // it never had a reader, and only cancel_after_ms counts from creation
  CHECK(wait_until([&] { return w.model.open_connections() == 1; }, 5s));
}

TEST_CASE("cancel: a page that reloads comes back in time", "[control_disconnect]") {
  Watched w;
  const std::string id = w.create("cancel");
  auto reader = w.read(id);
  for (int i = 0; i < 5; ++i) {
    reader.reset();
    reader = w.read(id);
  }
  reader.reset();
  auto socket = w.socket(id, true);  // from SSE to WebSocket
  CHECK(w.lives_on(id, 600ms));
  socket.reset();
  CHECK(w.relay.wait_status(id, "cancelled", 5s));
}

TEST_CASE("HEAD, a state request and a control-only socket do not count", "[control_disconnect]") {
  Watched w;
  const std::string id = w.create({{"cancel_after_ms", 1500}});
  const auto control = w.socket(id, false);
  const auto created = Clock::now();
  while (ms_since(created) < 5'000 && w.status(id) == "streaming") {
    fetch(w.relay.port(), {.method = "HEAD", .target = "/v1/streams/" + id + "/events"});
  }
  CHECK(w.status(id) == "cancelled");
  CHECK(control->next_of("hello", 1ms) == std::nullopt);
}

TEST_CASE("cancel_after_ms: from creation, disarmed by a reader, armed by the last that leaves",
          "[control_disconnect]") {
  Watched w;
  const std::string unread = w.create({{"cancel_after_ms", 800}}), read = w.create({{"cancel_after_ms", 800}}),
                    subscribed = w.create({{"cancel_after_ms", 800}});
  auto reader = w.read(read);
  auto socket = w.socket(subscribed, true);
  CHECK(w.relay.wait_status(unread, "cancelled", 5s));
  CHECK(w.lives_on(read, 1200ms));
  CHECK(w.status(subscribed) == "streaming");
  reader.reset();
  socket.reset();
  const auto left = Clock::now();
  CHECK(w.relay.wait_status(read, "cancelled", 5s));
  CHECK(ms_since(left) >= 700);
  CHECK(w.relay.wait_status(subscribed, "cancelled", 5s));
}

TEST_CASE("a POST whose answer is the stream is a reader like any other", "[control_disconnect]") {
  Watched w;
  std::string id;
  {
    SseConnection posted(w.relay.port(),
                         {.method = "POST",
                          .target = "/v1/streams",
                          .fields = {{"Content-Type", "application/json"}, {"Accept", "text/event-stream"}},
                          .body = R"({"prompt":"x","on_disconnect":"cancel"})"});
    REQUIRE(posted.next());
    id = posted.head()->get("Location").value_or("").substr(12);
    CHECK(w.lives_on(id, 500ms));
  }
  CHECK(w.relay.wait_status(id, "cancelled", 5s));
}
