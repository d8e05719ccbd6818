#include "service/http/server.h"

#include <string>
#include <vector>

#include "tests/http/asking.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace std::chrono_literals;
using namespace tokenrelay::http;
using support::BodyEnd;
using support::HttpConnection;

TEST_CASE("one request, one answer, and the connection stays", "[server]") {
  TestServer server;
  server.start();
  HttpConnection connection(server.port());
  for (int i = 0; i < 3; ++i) {
    connection.send(get("/hello"));
    Got got = read(connection);
    CHECK(got.head.status == 200);
    CHECK(got.head.version == "HTTP/1.1");
    CHECK(got.body == "hello");
    CHECK(got.end == BodyEnd::clean);
    CHECK(got.head.get("Content-Type") == "text/plain");
    CHECK(got.head.get("Content-Length") == "5");
    CHECK(got.head.get("Request-Id") == "drawn");
    CHECK(got.head.get("Date").value_or("").ends_with(" GMT"));
    CHECK_FALSE(got.head.get("Connection"));
  }
  CHECK(server.connections() == 1);
  auto records = server.records();
  REQUIRE(records.size() == 3);
  CHECK(records[0].method == "GET");
  CHECK(records[0].path == "/hello");
  CHECK(records[0].route == "/hello");
  CHECK(records[0].status == 200);
  CHECK(records[0].client_address == "127.0.0.1");
  CHECK(records[0].duration_us >= 0);
  connection.socket().close();
  CHECK(support::wait_until([&] { return server.connections() == 0; }, 5s));
  CHECK(server.ended() == 1);
}

TEST_CASE("bodies: with a length, in chunks, in pieces, large", "[server]") {
  TestServer server;
  server.start();
  CHECK(ask(server, post("/echo", "abc")).body == "abc");
  CHECK(ask(server, "POST /echo HTTP/1.1\r\n" + host +
                        "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: t\r\n\r\n")
            .body == "abcde");
  const std::string large(5 << 20, 'l');
  CHECK(ask(server, post("/echo", large)).body == large);
  CHECK(ask(server, get("/big")).body.size() == 8 << 20);
  HttpConnection slow(server.port());
  for (char c : post("/echo", "pieces")) REQUIRE(slow.send(std::string(1, c)));
  CHECK(read(slow).body == "pieces");
}

TEST_CASE("pipelined requests are answered in order, coroutines and large answers between them", "[server]") {
  TestServer server;
  server.start();
  HttpConnection connection(server.port());
  connection.send(get("/hello") + post("/later/1", "x") + get("/big") + get("/nothing") + post("/echo", "last") +
                  get("/empty") + get("/hello"));
  CHECK(read(connection).body == "hello");
  CHECK(read(connection).body == "later /later/1 x");
  CHECK(read(connection).body.size() == 8 << 20);
  CHECK(read(connection).head.status == 404);
  CHECK(read(connection).body == "last");
  CHECK(read(connection).head.status == 204);
  CHECK(read(connection).body == "hello");
  std::string many;
  for (int i = 0; i < 500; ++i) many += get("/hello");  // more than one turn
  connection.send(many);
  for (int i = 0; i < 500; ++i) REQUIRE(read(connection).body == "hello");
  server.call([] {});  // the last one is logged behind its answer
  CHECK(server.records().size() == 507);
}

TEST_CASE("HEAD answers the headers of GET", "[server]") {
  TestServer server;
  server.start();
  HttpConnection connection(server.port());
  connection.send("HEAD /hello HTTP/1.1\r\n" + host + "\r\n" + get("/hello"));
  auto head = connection.read_head(5s);
  REQUIRE(head);
  CHECK(head->status == 200);
  CHECK(head->get("Content-Length") == "5");
  CHECK(connection.socket().open());
  std::string raw = connection.pending();
  while (raw.find("hello") == std::string::npos && connection.socket().receive(raw, 5s) == support::Got::bytes) {
  }
  CHECK(raw.starts_with("HTTP/1.1 200 OK\r\n"));  // the next answer follows the head at once
}

TEST_CASE("204 has neither length nor body", "[server]") {
  TestServer server;
  server.start();
  Got got = ask(server, get("/empty"));
  CHECK(got.head.status == 204);
  CHECK_FALSE(got.head.get("Content-Length"));
  CHECK_FALSE(got.head.get("Transfer-Encoding"));
}

TEST_CASE("HTTP/1.0 and Connection", "[server]") {
  TestServer server;
  server.start();
  HttpConnection plain(server.port());
  plain.send("GET /hello HTTP/1.0\r\n\r\n");
  Got got = read(plain);
  CHECK(got.body == "hello");
  CHECK(got.head.get("Connection") == "close");
  CHECK(closed(plain));
  HttpConnection kept(server.port());
  kept.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(read(kept).head.get("Connection") == "keep-alive");
  kept.send(get("/hello", "Connection: close\r\n"));
  got = read(kept);
  CHECK(got.head.get("Connection") == "close");
  CHECK(closed(kept));
  HttpConnection half(server.port());  // a client may have nothing more to say and still wait for the answer
  half.send(post("/later/h", ""));
  half.socket().finish_sending();
  CHECK(read(half).body == "later /later/h ");
  CHECK(closed(half));
  CHECK(support::wait_until([&] { return server.connections() == 0; }, 5s));
}

TEST_CASE("100-continue", "[server]") {
  TestServer server;
  server.options.body_bytes = 1000;
  server.start();
  HttpConnection connection(server.port());
  connection.send("POST /echo HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  auto interim = connection.read_head(5s);
  REQUIRE(interim);
  CHECK(interim->status == 100);
  connection.send("abc");
  Got got = read(connection);
  CHECK(got.head.status == 200);
  CHECK(got.body == "abc");
  // Refused without waiting for the body.
  CHECK(ask(server, "POST /echo HTTP/1.1\r\n" + host + "Expect: 100-continue\r\nContent-Length: 3000\r\n\r\n")
            .head.status == 413);
  CHECK(ask(server, "POST /echo HTTP/1.1\r\n" + host + "Expect: magic\r\nContent-Length: 3\r\n\r\n").head.status ==
        417);
}

TEST_CASE("a mistake in a request does not cost the connection", "[server]") {
  TestServer server;
  server.start();
  HttpConnection connection(server.port());
  connection.send(get("/nothing") + "DELETE /hello HTTP/1.1\r\n" + host + "\r\n" + get("/fails") + get("/hello"));
  CHECK(read(connection).head.status == 404);
  Got got = read(connection);
  CHECK(got.head.status == 405);
  CHECK(got.head.get("Allow") == "GET, HEAD");
  got = read(connection);
  CHECK(got.head.status == 500);
  CHECK(got.body.find("secret") == std::string::npos);
  CHECK(read(connection).body == "hello");
}

TEST_CASE("browsers: preflight, allowed and foreign origins, on errors too", "[server]") {
  TestServer server;
  server.options.cors_origins = {"https://app.example"};
  server.start();
  const std::string mine = "Origin: https://app.example\r\n";
  Got got =
      ask(server, "OPTIONS /echo HTTP/1.1\r\n" + host + mine +
                      "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: content-type\r\n\r\n");
  CHECK(got.head.status == 204);
  CHECK(got.head.get("Access-Control-Allow-Origin") == "https://app.example");
  CHECK(got.head.get("Access-Control-Allow-Headers") == "content-type, Last-Event-ID");
  CHECK(got.head.get("Access-Control-Max-Age"));
  CHECK(got.head.get("Vary") == "Origin");
  CHECK(ask(server, get("/hello", mine)).head.get("Access-Control-Allow-Origin") == "https://app.example");
  CHECK(ask(server, get("/nothing", mine)).head.get("Access-Control-Allow-Origin") == "https://app.example");
  CHECK(ask(server, get("/hello", mine + "Content-Length: x\r\n")).head.get("Access-Control-Allow-Origin") ==
        "https://app.example");
  got = ask(server, get("/hello", "Origin: https://evil.example\r\n"));
  CHECK(got.head.status == 200);
  CHECK_FALSE(got.head.get("Access-Control-Allow-Origin"));
  got = ask(server, "OPTIONS /echo HTTP/1.1\r\n" + host +
                        "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n\r\n");
  CHECK(got.head.status == 405);
  CHECK_FALSE(got.head.get("Access-Control-Allow-Origin"));
}

TEST_CASE("request ids and client addresses", "[server]") {
  TestServer server;
  server.options.trusted_proxies = {"127.0.0.0/8"};
  server.start();
  Got got = ask(server, get("/who", "Request-Id: abc-1.2_3\r\nX-Forwarded-For: 9.9.9.9, 1.2.3.4\r\n"));
  CHECK(got.head.get("Request-Id") == "abc-1.2_3");
  CHECK(got.body == "1.2.3.4 abc-1.2_3 127.0.0.1");
  for (const std::string& bad : {std::string("a b"), std::string(65, 'a'), std::string("a\"b"), std::string("")}) {
    CHECK(ask(server, get("/who", "Request-Id: " + bad + "\r\n")).head.get("Request-Id") == "drawn");
  }
}

TEST_CASE("drain closes idle connections now and others after their answer", "[server]") {
  TestServer server;
  server.start();
  HttpConnection idle(server.port());
  idle.send(get("/hello"));
  CHECK(read(idle).head.status == 200);
  HttpConnection busy(server.port());
  server.hold = true;
  busy.send(post("/later/x", ""));
  REQUIRE(support::wait_until([&] { return server.held == 1; }, 5s));
  HttpConnection begun(server.port());
  begun.send(get("/hello") + "GET /hel");  // arrive together: once the first is answered, the second has begun
  CHECK(read(begun).body == "hello");
  server.drain();
  server.hold = false;
  CHECK(closed(idle));
  Got got = read(busy);
  CHECK(got.body == "later /later/x ");
  CHECK(got.head.get("Connection") == "close");
  CHECK(closed(busy));
  begun.send("lo HTTP/1.1\r\n" + host + "\r\n");
  got = read(begun);
  CHECK(got.body == "hello");
  CHECK(got.head.get("Connection") == "close");
  CHECK(closed(begun));
  CHECK(support::wait_until([&] { return server.connections() == 0; }, 10s));
}

TEST_CASE("what a reply holds is let go once its body has left, or the connection is over", "[server]") {
  TestServer server;
  std::vector<std::weak_ptr<void>> held;  // on the loop's thread
  server.router.add("GET", "/held", "/held", [&](const http::Request&) -> http::Outcome {
    const auto hold = std::make_shared<int>(0);
    held.push_back(hold);
    http::Reply reply;
    reply.body = std::string(8 << 20, 'h');
    reply.held = hold;
    return reply;
  });
  server.start();
  const auto gone = [&](size_t n) { return server.ask<bool>([&] { return held.size() > n && held[n].expired(); }); };
  HttpConnection reads(server.port(), 4096), leaves(server.port(), 4096), asks(server.port());
  reads.send(get("/held"));
  REQUIRE(reads.read_head(5s));
  CHECK_FALSE(gone(0));
  CHECK(reads.read_body(20s).size() == 8 << 20);
  CHECK(support::wait_until([&] { return gone(0); }, 5s));
  leaves.send(get("/held"));
  REQUIRE(leaves.read_head(5s));
  CHECK_FALSE(gone(1));
  leaves.socket().reset();
  CHECK(support::wait_until([&] { return gone(1); }, 5s));
  asks.send({.method = "HEAD", .target = "/held"});
  REQUIRE(asks.read_head(5s));
  CHECK(gone(2));
}

TEST_CASE("the server may go while coroutines are under way", "[server]") {
  TestServer server;
  server.start();
  HttpConnection connection(server.port());
  connection.send(post("/later/x", ""));
  CHECK(support::wait_until([&] { return server.connections() == 1; }, 5s));
}

TEST_CASE("a thousand connections, each place freed once", "[server]") {
  TestServer server;
  server.start();
  std::vector<std::unique_ptr<HttpConnection>> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(std::make_unique<HttpConnection>(server.port()));
    REQUIRE(all.back()->open());
    if (i % 4 == 1) all.back()->send("GET / HT");
    if (i % 4 != 1) all.back()->send(get("/hello"));
  }
  for (int i = 0; i < 1000; ++i) {
    if (i % 4 != 1) REQUIRE(read(*all[static_cast<size_t>(i)]).body == "hello");
  }
  CHECK(server.connections() == 1000);
  for (size_t i = 0; i < all.size(); ++i) i % 2 == 0 ? all[i]->socket().reset() : all[i]->socket().close();
  CHECK(support::wait_until([&] { return server.connections() == 0; }, 10s));
  CHECK(support::wait_until([&] { return server.ended() == 1000; }, 5s));
}

TEST_CASE("requests a second, inline, one connection, pipelined and not", "[.bench]") {
  TestServer server;
  server.start();
  HttpConnection connection(server.port());
  constexpr int n = 50'000;
  auto began = support::Clock::now();
  std::string batch;
  for (int i = 0; i < 100; ++i) batch += get("/hello");
  std::string in;
  size_t answers = 0;
  for (int i = 0; i < n / 100; ++i) {
    connection.send(batch);
    for (size_t wanted = 100 * static_cast<size_t>(i + 1); answers < wanted;) {
      in.clear();
      REQUIRE(connection.socket().receive(in, 5s) == support::Got::bytes);
      for (size_t at = 0; (at = in.find("HTTP/1.1 200", at)) != std::string::npos; ++at) ++answers;
    }
  }
  double pipelined = n * 1000.0 / static_cast<double>(support::ms_since(began));
  began = support::Clock::now();
  for (int i = 0; i < n / 5; ++i) {
    connection.send(batch.substr(0, get("/hello").size()));
    in.clear();
    REQUIRE(connection.socket().receive(in, 5s) == support::Got::bytes);
  }
  double single = n / 5 * 1000.0 / static_cast<double>(support::ms_since(began));
  WARN("pipelined " << pipelined << " requests/s, one at a time " << single << " requests/s");
  CHECK(pipelined > 1000);
}
