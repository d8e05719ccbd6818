// Hostile connections: ambiguous framing, half-open, trickling, pipelining. A bystander stream flows through all of it.
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

struct Bystander {
  ModelServer model{[](ModelServer::Call& call) {
    while (call.pause(5ms)) call.text("tick ");
  }};
  Relay relay;
  std::string id;
  Follower follower;

  explicit Bystander(const std::string& config = "")
      : relay({.upstream = model.upstream(), .config = config}),
        id(relay.create()),
        follower({.port = relay.port(), .stream_id = id}) {}

  void check_undisturbed() {
    const auto before = follower.events().size();
    CHECK(wait_until([&] { return follower.events().size() > before + 5; }, 5s));
    CHECK(follower.problems() == Strings{});
    CHECK(follower.statuses() == std::vector<int>{200});  // one connection, never lost
    CHECK(relay.process().running());
  }
};

// The statuses answered to these bytes: so many at least, then until the relay closes or is quiet for a moment.
std::vector<int> statuses_for(uint16_t port, const std::string& bytes, size_t least = 1) {
  HttpConnection connection(port);
  connection.send(bytes);
  std::vector<int> out;
  while (auto head = connection.read_head(out.size() < least ? 10s : 300ms)) {
    out.push_back(head->status);
    connection.read_body(2s);
  }
  if (connection.end() != BodyEnd::timeout) out.push_back(0);  // closed
  return out;
}

const std::string host = "Host: 127.0.0.1\r\n";

}  // namespace

TEST_CASE("framing that two parsers could read differently is refused and the connection closed", "[hostile]") {
  Bystander bystander;
  const std::string json = "Content-Type: application/json\r\n", body = R"({"prompt":"a"})";
  const std::string smuggled = "GET /v1/streams HTTP/1.1\r\n" + host + "\r\n";
  const Strings bad = {
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Content-Length: 14\r\nContent-Length: 14\r\n\r\n" + body,
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Content-Length: 14\r\nContent-Length: 4\r\n\r\n" + body,
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Content-Length: 14, 14\r\n\r\n" + body,
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Content-Length: +14\r\n\r\n" + body,
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Content-Length: 14abc\r\n\r\n" + body,
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Content-Length: -1\r\n\r\n" + body,
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Content-Length: \r\n\r\n" + body,
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Content-Length: 99999999999999999999999\r\n\r\n" + body,
      "POST /v1/streams HTTP/1.1\r\n" + host + json +
          "Content-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
      "POST /v1/streams HTTP/1.1\r\n" + host + json + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n0\r\n\r\n",
      "POST /v1/streams HTTP/1.1\r\n" + host + json +
          "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\na\r\n0\r\n\r\n",
      "POST /v1/streams HTTP/1.0\r\n" + host + json + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "GET /healthz HTTP/1.1\n" + host + "\n",
      "GET /healthz HTTP/1.1\r\n" + host + "X: a\rb\r\n\r\n",
      "GET /healthz HTTP/1.1\r\n" + host + "X: a\r\n folded\r\n\r\n",
      "GET /healthz HTTP/1.1\r\n" + host + std::string("X: a\0b\r\n\r\n", 10),
      "GET /healthz HTTP/1.1\r\n" + host + "X : a\r\n\r\n",
      "GET /healthz HTTP/1.1\r\n" + host + "no colon\r\n\r\n",
      "GET /healthz HTTP/1.1\r\n" + host + ": empty\r\n\r\n",
      "GET /healthz HTTP/1.1\r\n\r\n",  // no Host
      "GET /healthz HTTP/1.1\r\n" + host + host + "\r\n",
      "GET  /healthz HTTP/1.1\r\n" + host + "\r\n",
      "GET /healthz  HTTP/1.1\r\n" + host + "\r\n",
      "GET /healthz HTTP/1.1 \r\n" + host + "\r\n",
      "GET /health\tz HTTP/1.1\r\n" + host + "\r\n",
      "GET /healthz\r\n\r\n",
      "GET /healthz HTTP/2.0\r\n" + host + "\r\n",
      "GET healthz HTTP/1.1\r\n" + host + "\r\n",
      "G(T /healthz HTTP/1.1\r\n" + host + "\r\n",
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",  // TLS to a plain port
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  };
  for (const auto& bytes : bad) {
    const auto statuses = statuses_for(bystander.relay.port(), bytes + smuggled);
    INFO(bytes << " answered " << Catch::Detail::stringify(statuses));
    REQUIRE(!statuses.empty());
    CHECK(statuses.back() == 0);
    CHECK(statuses.size() <= 2);
    CHECK((statuses.front() == 0 || statuses.front() / 100 == 4 || statuses.front() == 501 || statuses.front() == 505));
  }
  CHECK(bystander.relay.metric("tokenrelay_connections_refused_total") == static_cast<double>(bad.size()));
  bystander.check_undisturbed();
}

TEST_CASE("411 for a POST without a length, and the connection closed", "[hostile]") {
  Bystander bystander;
  CHECK(statuses_for(bystander.relay.port(),
                     "POST /v1/streams HTTP/1.1\r\n" + host + "Content-Type: application/json\r\n\r\n")
            .front() == 411);
  bystander.check_undisturbed();
}

TEST_CASE("a chunked body is a body", "[hostile]") {
  Bystander bystander;
  CHECK(statuses_for(bystander.relay.port(),
                     "POST /v1/streams HTTP/1.1\r\n" + host +
                         "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                         "5;ext=\"a\"\r\n{\"pro\r\n9\r\nmpt\":\"a\"}\r\n0\r\nTrailer: x\r\n\r\n") ==
        std::vector<int>{201});
}

TEST_CASE("pipelined requests are answered in order", "[hostile]") {
  Bystander bystander;
  const std::string get = "GET /healthz HTTP/1.1\r\n" + host + "\r\n",
                    miss = "GET /nothing HTTP/1.1\r\n" + host + "\r\n";
  const std::string post = "POST /v1/streams HTTP/1.1\r\n" + host +
                           "Content-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"prompt\":\"a\"}";
  CHECK(statuses_for(bystander.relay.port(), get + miss + post + get + get, 5) ==
        std::vector<int>{200, 404, 201, 200, 200});
  std::string twenty;
  for (int i = 0; i < 20; ++i) twenty += post;
  CHECK(statuses_for(bystander.relay.port(), twenty, 20) == std::vector<int>(20, 201));
  CHECK(statuses_for(bystander.relay.port(), "\r\n" + get) == std::vector<int>{200});  // RFC 9112 2.2
  CHECK(statuses_for(bystander.relay.port(), "GET http://127.0.0.1/healthz HTTP/1.1\r\n" + host + "\r\n") ==
        std::vector<int>{200});
  bystander.check_undisturbed();
}

TEST_CASE("a request that came in pieces of one byte", "[hostile]") {
  Bystander bystander;
  HttpConnection connection(bystander.relay.port());
  for (const char c : "GET /healthz HTTP/1.1\r\n" + host + "\r\n") {
    REQUIRE(connection.send(std::string(1, c)));
    std::this_thread::sleep_for(1ms);
  }
  CHECK(connection.read_head().value_or(Head{}).status == 200);
}

TEST_CASE("100-continue", "[hostile]") {
  Bystander bystander("[limits]\nbody_bytes = 2000\n");
  const std::string head =
      "POST /v1/streams HTTP/1.1\r\n" + host + "Content-Type: application/json\r\nExpect: 100-continue\r\n";
  HttpConnection connection(bystander.relay.port());
  connection.send(head + "Content-Length: 14\r\n\r\n");
  REQUIRE(connection.read_head(3s).value_or(Head{}).status == 100);
  connection.send(R"({"prompt":"a"})");
  CHECK(connection.read_head().value_or(Head{}).status == 201);
  CHECK(statuses_for(bystander.relay.port(), head + "Content-Length: 5000\r\n\r\n").front() ==
        413);  // without waiting for it
}

TEST_CASE("half-open and trickling connections end, and stop nobody", "[hostile]") {
  Bystander bystander("[limits]\nhead_ms = 500\nbody_ms = 500\nkeep_alive_ms = 700\n");
  const auto port = bystander.relay.port();
  std::vector<std::unique_ptr<HttpConnection>> idle;
  const Strings beginnings = {
      "", "GET /heal", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ",
      "POST /v1/streams HTTP/1.1\r\n" + host + "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"};
  for (int i = 0; i < 100; ++i) {
    idle.push_back(std::make_unique<HttpConnection>(port));
    REQUIRE(idle.back()->open());
    if (const auto& text = beginnings[static_cast<size_t>(i) % 4]; !text.empty()) idle.back()->send(text);
  }
  bystander.check_undisturbed();
  for (auto& c : idle) {
    const auto head = c->read_head(5s);  // a 408 may come first
    if (head) {
      CHECK(head->status == 408);
      c->read_body(1s);
    }
    CHECK((head ? c->closes(2s) : c->end() != BodyEnd::timeout));
  }
  HttpConnection trickle(port);
  trickle.send("GET /healthz HTTP/1.1\r\n" + host);
  const Deadline much_later = 30s;  // a head_ms that each byte began anew would never be over
  while (trickle.send("X-A: b\r\n") && !much_later.passed()) {
    if (!trickle.pending().empty()) break;
    if (auto head = trickle.read_head(50ms); head || trickle.end() != BodyEnd::timeout) break;
  }
  CHECK_FALSE(much_later.passed());
  HttpConnection kept(port);
  kept.send("GET /healthz HTTP/1.1\r\n" + host + "\r\n");
  REQUIRE(kept.read_head());
  kept.read_body();
  CHECK(kept.closes(3s));
  bystander.check_undisturbed();
}

TEST_CASE("a client that talks while it reads", "[hostile]") {
  Bystander bystander;
  SseConnection chatty(bystander.relay.port(), events_request(bystander.id));
  REQUIRE(chatty.next());
  chatty.http().send(std::string(4000, 'x'));
  REQUIRE(chatty.next());
  REQUIRE(chatty.next());
  const bool sent = chatty.http().socket().send_all(std::string(1 << 20, 'x'), 500ms);
  chatty.rest(10s);
  CHECK((chatty.end() == BodyEnd::reset || !sent));  // over 16 KiB: cut; the sending side may be the one to learn of it
  bystander.check_undisturbed();
}

TEST_CASE("a thousand connections that come and go", "[hostile]") {
  Bystander bystander;
  for (int i = 0; i < 1000; ++i) {
    Socket s = Socket::connect(bystander.relay.port());
    REQUIRE(s.open());
    if (i % 3 == 0) s.send_all("GET / HTTP/1.1\r\n");
    if (i % 2 == 0) s.reset();
  }
  bystander.check_undisturbed();
  CHECK(wait_until([&] { return bystander.relay.process().descriptors() < 60; }, 5s));
}
