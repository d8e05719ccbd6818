// What a server refuses, bounds, and does not wait for.
#include <string>
#include <vector>

#include "tests/http/asking.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace std::chrono_literals;
using namespace tokenrelay::http;
using support::HttpConnection;

TEST_CASE("every framing error is answered by a problem and the end, and what follows is not read as a request",
          "[server]") {
  TestServer server;
  server.start();
  const std::string smuggled = get("/hello");
  struct Row {
    std::string bytes;
    int status;
  };
  const std::vector<Row> rows = {
      {"POST /echo HTTP/1.1\r\n" + host + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\n" + host + "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400},
      {"POST /echo HTTP/1.1\r\n" + host + "Content-Length: 3abc\r\n\r\nabc", 400},
      {"POST /echo HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\n" + host + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400},
      {"POST /echo HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nz\r\n", 400},
      {"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\n" + host + "\n", 400},
      {"GET /hello HTTP/1.1\r\n" + host + "X: a\r\n b\r\n\r\n", 400},
      {"GET /hello HTTP/1.1\r\n\r\n", 400},
      {"GET  /hello HTTP/1.1\r\n" + host + "\r\n", 400},
      {"GET /hello HTTP/2.0\r\n" + host + "\r\n", 505},
      {"GET /" + std::string(2000, 'a') + " HTTP/1.1\r\n" + host + "\r\n", 414},
      {get("/hello", "X: " + std::string(9000, 'a') + "\r\n"), 431},
      {"POST /echo HTTP/1.1\r\n" + host + "Content-Length: 99999999\r\n\r\n", 413},
      {"POST /length HTTP/1.1\r\n" + host + "\r\n", 411},
  };
  for (const Row& row : rows) {
    INFO(row.bytes.substr(0, 200));
    HttpConnection connection(server.port());
    connection.send(row.bytes + smuggled);
    Got got = read(connection);
    CHECK(got.head.status == row.status);
    CHECK(got.head.get("Content-Type") == "application/problem+json");
    CHECK(got.head.get("Connection") == "close");
    CHECK(got.head.get("Request-Id"));
    CHECK(support::Json::parse(got.body).at("status") == row.status);
    CHECK(closed(connection));  // and nothing more was answered
  }
  CHECK(server.records().size() == rows.size());
  CHECK(support::wait_until([&] { return server.connections() == 0; }, 5s));
}

TEST_CASE("an answer to a body that is too large is not lost to a reset", "[server]") {
  TestServer server;
  server.options.body_bytes = 100'000;
  server.start();
  const std::string large(3 << 20, 'x');
  HttpConnection connection(server.port());
  REQUIRE(connection.send(post("/echo", large)));  // the client reads only when all is sent
  CHECK(read(connection).head.status == 413);
  CHECK(closed(connection));
}

TEST_CASE("bodies are bounded together too", "[server]") {
  TestServer server;
  server.options.bodies_bytes = 100'000;
  server.start();
  auto begin = [&](HttpConnection& connection) {
    connection.send("POST /echo HTTP/1.1\r\n" + host + "Content-Length: 60001\r\n\r\n" + std::string(60'000, 'x'));
  };
  HttpConnection first(server.port());
  begin(first);
  HttpConnection second(server.port());
  begin(second);
  // One of them is too many, whichever is read last.
  REQUIRE(support::wait_until([&] { return server.records().size() == 1; }, 5s));
  CHECK(server.records()[0].status == 503);
  first.send("y");
  second.send("y");
  Got a = read(first);
  Got b = read(second);
  CHECK(std::min(a.head.status, b.head.status) == 200);
  CHECK(std::max(a.head.status, b.head.status) == 503);
  CHECK((a.head.status == 503 ? a : b).head.get("Retry-After"));
  HttpConnection third(server.port());  // what was held is free again
  begin(third);
  third.send("y");
  CHECK(read(third).body.size() == 60'001);
}

TEST_CASE("deadlines", "[server]") {
  TestServer server;
  server.options.head_ms = 150;
  server.options.body_ms = 150;
  server.options.keep_alive_ms = 150;
  server.start();
  SECTION("no byte at all: closed without a word") {
    HttpConnection connection(server.port());
    CHECK(closed(connection));
    CHECK(server.records().empty());
  }
  SECTION("half a head: 408") {
    HttpConnection connection(server.port());
    connection.send("GET /hello HTTP/1.1\r\nHo");
    CHECK(read(connection).head.status == 408);
    CHECK(closed(connection));
  }
  SECTION("a head that trickles is not given more time for it") {
    HttpConnection connection(server.port());
    connection.send("GET /hello HTTP/1.1\r\n" + host);
    auto began = support::Clock::now();
    std::optional<support::Head> head;
    while (!head && support::ms_since(began) < 5'000) {
      connection.send("X: y\r\n");
      head = connection.read_head(20ms);
    }
    REQUIRE(head);
    CHECK(head->status == 408);
  }
  SECTION("half a body: 408") {
    HttpConnection connection(server.port());
    connection.send("POST /echo HTTP/1.1\r\n" + host + "Content-Length: 10\r\n\r\nabc");
    CHECK(read(connection).head.status == 408);
    CHECK(closed(connection));
  }
  SECTION("idle after a request: closed without a word") {
    HttpConnection connection(server.port());
    connection.send(get("/hello"));
    CHECK(read(connection).head.status == 200);
    CHECK(closed(connection));
    CHECK(server.records().size() == 1);
  }
  CHECK(support::wait_until([&] { return server.connections() == 0; }, 10s));
}

TEST_CASE("a client that does not take its answer is cut", "[server]") {
  TestServer server;
  server.options.write_stall_ms = 200;
  server.start();
  HttpConnection connection(server.port(), 4096);
  connection.send(get("/big"));
  CHECK(support::wait_until([&] { return server.ended() == 1; }, 5s));
  CHECK(server.records().size() == 1);
  std::string rest;
  auto got = support::Got::bytes;
  while (got == support::Got::bytes) {
    rest.clear();
    got = connection.socket().receive(rest, 5s);
  }
  CHECK(got == support::Got::reset);
}

TEST_CASE("a request that ends too soon", "[server]") {
  TestServer server;
  server.start();
  HttpConnection connection(server.port());
  connection.send("POST /echo HTTP/1.1\r\n" + host + "Content-Length: 10\r\n\r\nabc");
  connection.socket().finish_sending();
  CHECK(read(connection).head.status == 400);
  CHECK(closed(connection));
}

TEST_CASE("a foreign Host is misdirected, a malformed one is no request", "[server]") {
  TestServer server;
  const bool loopback = GENERATE(true, false);
  server.options.hosts = {"relay.example"};
  server.options.any_host_paths = {"/who"};
  server.start(loopback);
  auto status = [&](const std::string& name, const std::string& path = "/hello") {
    return ask(server, "GET " + path + " HTTP/1.1\r\nHost: " + name + "\r\n\r\n").head.status;
  };
  CHECK(status("relay.example") == 200);
  for (const char* good : {"localhost", "LOCALHOST:1", "127.9.9.9", "[::1]:80", "localhost."})
    CHECK(status(good) == (loopback ? 200 : 421));
  for (const char* foreign : {"evil.example", "127.0.0.1.evil.example", ""}) {
    CHECK(status(foreign) == 421);
    CHECK(status(foreign, "/who") == 200);
  }
  for (const char* malformed : {"localhost:80:evil", "[::1]:evil.com", "[::1]evil.com", "user@localhost", "a b"}) {
    CHECK(status(malformed, "/who") == 400);
  }
  CHECK(ask(server, "GET http://evil.example/hello HTTP/1.1\r\n" + host + "\r\n").head.status == 421);
  CHECK(ask(server, "GET http://localhost:80:evil/hello HTTP/1.1\r\n" + host + "\r\n").head.status == 400);
  server.call([&] { server.options.check_host = false; });
  CHECK(status("evil.example") == 200);
}

TEST_CASE("a page of another site changes nothing", "[server]") {
  TestServer server;
  server.start();
  auto sent = [&](const std::string& headers) {
    return ask(server, "POST /echo HTTP/1.1\r\n" + host + headers + "Content-Length: 1\r\n\r\nx");
  };
  const Got refused = sent("Origin: https://evil.example\r\n");
  CHECK(refused.head.status == 403);
  CHECK(support::Json::parse(refused.body).at("code") == "cross_site");
  CHECK(sent("Sec-Fetch-Site: cross-site\r\n").head.status == 403);
  CHECK(sent("Origin: null\r\nSec-Fetch-Site: same-origin\r\n").head.status == 200);
  CHECK(sent("").head.status == 200);
  CHECK(sent("Origin: http://localhost\r\nOrigin: https://evil.example\r\n").head.status == 400);
}

TEST_CASE("every answer says how it may be used", "[server]") {
  TestServer server;
  server.start();
  for (const char* path : {"/hello", "/nothing"}) {
    INFO(path);
    const Got got = ask(server, get(path));
    CHECK(got.head.get("X-Content-Type-Options") == "nosniff");
    CHECK(got.head.get("Cross-Origin-Resource-Policy") == "same-origin");
    CHECK(got.head.get("Content-Security-Policy") == "default-src 'none'; frame-ancestors 'none'");
    CHECK_FALSE(got.head.get("Strict-Transport-Security"));
  }
}
