// A WebSocket behind a real socket, against a client that does what no library would.
#include "service/http/websocket.h"

#include <atomic>
#include <list>
#include <random>
#include <thread>

#include "tests/http/server_fixture.h"
#include "tests/support/catch.h"
#include "tests/support/ws_client.h"

using namespace tokenrelay::http;
using namespace tokenrelay::support;
using namespace std::chrono_literals;

namespace {

// Answers every text with "echo:" and the text; "close" by closing, "hold" later.
struct Echo final : WebSocket::Owner {
  std::unique_ptr<WebSocket> socket;
  std::atomic<int> messages{0}, rooms{0}, gone{0};
  std::atomic<bool> stalled{false};
  std::atomic<bool> held{false};

  void on_message(std::string_view text) override {
    ++messages;
    if (text == "close") return socket->close(4000, "as asked");
    if (text == "hold") return held.store(true);
    socket->send("echo:" + std::string(text));
    socket->flush();
  }
  void on_room() override { ++rooms; }
  bool answers_due() const override { return held; }
  void on_gone(int code) override {
    stalled = socket->stalled();
    gone = code;
  }
};

class WsServer {
 public:
  WebSocket::Options options;
  TestServer server;

  WsServer() {
    server.router.add("GET", "/ws", "/ws", [this](const auto& request) -> Outcome {
      auto headers = check_upgrade(request, "test");
      if (!headers) return problem(headers.error().code, headers.error().detail, request.request_id);
      return Takeover([this, headers = *headers](TakenConnection taken) {
        auto with = options;
        with.headers = headers;
        Echo& echo = echoes_.emplace_back();
        echo.socket = std::make_unique<WebSocket>(std::move(taken), std::move(with), echo);
        ++taken_;
      });
    });
  }
  ~WsServer() {
    server.call([this] { echoes_.clear(); });
  }
  void start() { server.start(); }
  WsClient connect(int receive_buffer = 0) { return WsClient(server.port(), "/ws", {}, receive_buffer); }
  Echo& echo(size_t n = 0) {
    if (!wait_until([&] { return taken_ > n; }, 5s)) throw std::runtime_error("no socket");
    return *server.ask<Echo*>([&] { return &*std::next(echoes_.begin(), static_cast<std::ptrdiff_t>(n)); });
  }
  // All that the kernel takes, and one message more.
  size_t flood(Echo& echo) {
    return server.ask<size_t>([&] {
      size_t bytes = 0;
      do {
        bytes += 60'000;
        echo.socket->send(std::string(60'000, 'f'));
        echo.socket->flush();
      } while (echo.socket->has_room());
      return bytes;
    });
  }
  void answer_held(Echo& echo) {
    server.call([&] {
      echo.socket->send("held");
      echo.held = false;
      echo.socket->flush();
    });
  }

 private:
  std::list<Echo> echoes_;
  std::atomic<size_t> taken_{0};
};

std::string next_text(WsClient& client) {
  const auto frame = client.next(5s);
  return frame && frame->opcode == 1 ? frame->payload : frame ? "opcode " + std::to_string(frame->opcode) : "nothing";
}

}  // namespace

TEST_CASE("messages there and back, in every form of the length", "[websocket]") {
  WsServer server;
  server.start();
  WsClient client = server.connect();
  REQUIRE(client.status() == 101);
  for (const size_t size : {0u, 1u, 120u, 121u, 125u, 126u, 60'000u, 65'530u, 65'536u}) {
    client.send_text(std::string(size, 'x'));
    CHECK(next_text(client) == "echo:" + std::string(size, 'x'));
  }
}

TEST_CASE("frames that come with the handshake are not lost", "[websocket]") {
  WsServer server;
  server.start();
  HttpConnection http(server.server.port());
  std::string early;
  for (int i = 0; i < 100; ++i) early += ws_frame(1, std::to_string(i));
  http.send(
      "GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: "
      "13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n" +
      early);
  Echo& echo = server.echo();
  CHECK(wait_until([&] { return echo.messages == 100; }, 5s));
}

TEST_CASE("a ping is answered by its own payload, between fragments too", "[websocket]") {
  WsServer server;
  server.start();
  WsClient client = server.connect();
  client.send_frame(1, "a", false);
  for (const auto& payload : {std::string(), std::string("x"), std::string("\0\xff\r\n", 4), std::string(125, 'p')}) {
    client.send_frame(9, payload);
    const auto pong = client.next(5s);
    REQUIRE(pong);
    CHECK(pong->opcode == 10);
    CHECK(pong->payload == payload);
  }
  client.send_frame(10, "nobody asked");
  client.send_frame(0, "b");
  CHECK(next_text(client) == "echo:ab");
}

TEST_CASE("the peer's close is answered in kind, and the connection ended", "[websocket]") {
  WsServer server;
  server.start();
  WsClient client = server.connect();
  Echo& echo = server.echo();
  SECTION("with a code and a reason") {
    client.send_close(4321, "bye");
    const auto answer = client.next(5s);
    REQUIRE(answer);
    CHECK(answer->opcode == 8);
    CHECK(answer->payload ==
          "\x10\xe1"
          "bye");
    CHECK(client.end(5s) == Got::fin);
    client.socket().close();
    CHECK(wait_until([&] { return echo.gone == 4321; }, 5s));
  }
  SECTION("without") {
    client.send_frame(8, "");
    const auto answer = client.next(5s);
    REQUIRE(answer);
    CHECK(answer->payload.empty());
    CHECK(client.end(5s) == Got::fin);
    client.socket().close();
    CHECK(wait_until([&] { return echo.gone == 1005; }, 5s));
  }
  SECTION("what comes behind it is not understood any more") {
    client.send_raw(ws_frame(8, "\x03\xe8") + ws_frame(1, "late") + ws_frame(3, "x"));
    CHECK(client.close_code(5s) == 1000);
    CHECK(client.end(5s) == Got::fin);
    CHECK(echo.messages == 0);
  }
  SECTION("not at all: the peer vanishes") {
    client.socket().reset();
    CHECK(wait_until([&] { return echo.gone == 1006; }, 5s));
  }
}

TEST_CASE("our close leaves after what was sent, waits for the peer's, then ends", "[websocket]") {
  WsServer server;
  server.options.close_ms = 300;
  server.start();
  WsClient client = server.connect();
  Echo& echo = server.echo();
  client.send_raw(ws_frame(1, "first") + ws_frame(1, "close") + ws_frame(1, "after"));
  CHECK(next_text(client) == "echo:first");
  const auto bye = client.next(5s);
  REQUIRE(bye);
  CHECK(bye->payload ==
        "\x0f\xa0"
        "as asked");
  SECTION("it answers") {
    client.send_close(4000);
    CHECK(client.end(5s) == Got::fin);
    client.socket().close();
  }
  SECTION("it does not") {
    CHECK(client.end(5s) == Got::reset);
  }
  CHECK(wait_until([&] { return echo.gone == 4000; }, 5s));
  CHECK(echo.messages == 2);
}

TEST_CASE("answers that are due leave before any close", "[websocket]") {
  WsServer server;
  server.start();
  WsClient client = server.connect();
  Echo& echo = server.echo();
  int code = 0;
  client.send_text("hold");
  SECTION("the peer closes") {
    client.send_close(1000);
    code = 1000;
  }
  SECTION("the peer breaks the protocol") {
    client.send_frame(1, "\xff");
    code = 1007;
  }
  REQUIRE(wait_until([&] { return echo.held.load(); }, 5s));
  CHECK_FALSE(client.next(200ms));
  server.answer_held(echo);
  CHECK(next_text(client) == "held");
  CHECK(client.close_code(5s) == code);
  CHECK(client.end(5s) == Got::fin);
}

TEST_CASE("a violation is told before the end, even in the middle of what the peer still sends", "[websocket]") {
  WsServer server;
  server.start();
  WsClient client = server.connect();
  client.send_raw(ws_frame(1, std::string(400'000, 'x')));
  CHECK(client.close_code(5s) == 1009);
  CHECK(client.end(5s) == Got::fin);  // a reset could have overtaken the close frame
  WsClient binary = server.connect();
  binary.send_frame(2, "x");
  CHECK(binary.close_code(5s) == 1003);
}

TEST_CASE("a peer that pings and never reads costs a bounded amount of memory", "[websocket]") {
  WsServer server;
  server.options.write_stall_ms = 60'000;
  server.start();
  WsClient client = server.connect(4096);
  std::string pings;
  for (int i = 0; i < 100; ++i) pings += ws_frame(9, std::string(125, 'p'));
  uint64_t sent = 0;
  while (sent < (64u << 20) && client.socket().send_all(pings, 500ms)) sent += pings.size();
  // It is not read any more, long before its pongs fill more than the kernel's buffers and one message's worth here.
  CHECK(sent < (32u << 20));
  WsClient other = server.connect();  // and the server lives
  other.send_text("x");
  CHECK(next_text(other) == "echo:x");
}

TEST_CASE("a peer that never stops sending does not keep the loop for itself", "[websocket]") {
  WsServer server;
  server.start();
  WsClient flood = server.connect();
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    std::string pongs;
    for (int i = 0; i < 1000; ++i) pongs += ws_frame(10, "");
    while (!stop && flood.socket().send_all(pongs, 5s)) {
    }
  });
  WsClient other = server.connect();
  for (int i = 0; i < 20; ++i) {
    other.send_text("there?");
    CHECK(next_text(other) == "echo:there?");
  }
  stop = true;
  sender.join();
}

TEST_CASE("on_room comes once what was kept has left, also for what a message caused", "[websocket]") {
  WsServer server;
  server.start();
  WsClient client = server.connect(4096);
  Echo& echo = server.echo();
  client.send_text("x");
  CHECK(next_text(client) == "echo:x");
  CHECK(wait_until([&] { return echo.rooms > 0; }, 5s));  // the echo was sent from inside on_message
  const int before = echo.rooms;
  server.flood(echo);
  uint64_t got = 0;
  while (got < 60'000) {
    const auto frame = client.next(5s);
    REQUIRE(frame);
    got += frame->payload.size();
  }
  const auto room_came = [&] { return client.next(10ms), echo.rooms > before; };  // the rest has to leave too
  CHECK(wait_until(room_came, 5s));
}

TEST_CASE("a silent peer is pinged, then dropped; one that answers stays", "[websocket]") {
  WsServer server;
  server.options.ping_ms = 100;
  server.options.pong_ms = 200;
  server.start();
  WsClient silent = server.connect(), alive = server.connect();
  Echo& first = server.echo(0);
  for (int i = 0; i < 4; ++i) {
    const auto ping = alive.next(2s, true);
    REQUIRE(ping);
    CHECK(ping->opcode == 9);
    alive.send_frame(10, ping->payload);
  }
  CHECK(silent.end(5s) == Got::reset);
  CHECK(wait_until([&] { return first.gone == 1006; }, 5s));
  alive.send_text("x");
  std::string answer;
  while (const auto frame = alive.next(2s)) {
    if (frame->opcode == 1) answer = frame->payload;
    if (!answer.empty()) break;
  }
  CHECK(answer == "echo:x");
}

TEST_CASE("a peer that does not read holds little of the kernel's memory") {
  WsServer server;
  server.start();
  WsClient client = server.connect(16 << 10);
  Echo& echo = server.echo();
  REQUIRE(wait_until([&] { return server.server.ask<bool>([&] { return echo.socket->has_room(); }); }, 5s));
  const size_t taken = server.flood(echo);
  CHECK(taken < 512u << 10);  // four megabytes with the kernel's own buffers
}

TEST_CASE("a peer that reads slowly stays, although its pong is late; one that stops is cut", "[websocket]") {
  WsServer server;
  server.options.ping_ms = 100;
  server.options.pong_ms = 100;
  server.options.write_stall_ms = 1'500;
  server.start();
  WsClient client = server.connect(4096);
  Echo& echo = server.echo();
  REQUIRE(wait_until([&] { return server.server.ask<bool>([&] { return echo.socket->has_room(); }); }, 5s));
  server.flood(echo);
  std::string read;
  const auto until = Clock::now() + 2s;
  while (Clock::now() < until && echo.gone == 0) {
    std::this_thread::sleep_for(20ms);  // the pace under test
    client.socket().receive(read, 1s, 1024);
  }
  CHECK(echo.gone == 0);
  CHECK(wait_until([&] { return echo.gone == 1006; }, 10s));
}

TEST_CASE("a peer that takes nothing for the stall's time is cut", "[websocket]") {
  WsServer server;
  server.options.write_stall_ms = 300;
  server.start();
  WsClient client = server.connect(4096);
  Echo& echo = server.echo();
  // Again and again: a kernel that seems full may still find some room.
  CHECK(wait_until([&] { return server.flood(echo), echo.gone == 1006; }, 10s, 50ms));
  CHECK(echo.stalled);
}

TEST_CASE("random bytes behind a handshake end in a close or a cut, and nothing worse", "[websocket]") {
  WsServer server;
  server.options.ping_ms = 200;
  server.options.pong_ms = 200;
  server.start();
  const unsigned seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937 draws(seed);
  for (int round = 0; round < 100; ++round) {
    WsClient client = server.connect();
    std::string bytes;
    for (size_t size = draws() % 300; bytes.size() < size;) {
      bytes += static_cast<char>(draws());
      if (draws() % 4 == 0)
        bytes += ws_frame(static_cast<int>(draws() % 16), std::string(draws() % 200, static_cast<char>(draws())),
                          draws() % 2, draws() % 8 != 0);
    }
    client.send_raw(bytes);
    client.socket().finish_sending();
    CHECK(client.end(10s) != Got::timeout);
  }
  CHECK(wait_until([&] { return server.server.connections() == 0; }, 5s));
}
