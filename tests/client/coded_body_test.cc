// Bodies in a content coding, as a transfer's handler gets them: asked for or not, labelled or not, broken, in pauses,
// through a proxy, and in turns that leave room for the other streams.
#include <cstdlib>

#include "service/client/http_client.h"
#include "service/transport/loop.h"
#include "tests/client/packed.h"
#include "tests/support/catch.h"
#include "tests/support/model_server.h"

using namespace tokenrelay;
using client::TransferEnd;
using Cause = TransferEnd::Cause;
namespace script = support::script;

namespace {

struct Got final : client::TransferHandler {
  void on_head(const client::HttpHead& given) override { head = given; }
  void on_body(std::string_view bytes) override {
    body += bytes;
    ++pieces;
    if (on_piece) on_piece();
  }
  void on_end(const TransferEnd& given) override {
    end = given;
    loop.stop();
  }
  // Runs until the end, at most 20 s.
  void run() {
    transport::Timer deadline(loop.timers(), [this] { loop.stop(); });
    deadline.arm(20'000);
    loop.run();
  }
  void run_for(int64_t ms) {
    transport::Timer timer(loop.timers(), [this] { loop.stop(); });
    timer.arm(ms);
    loop.run();
  }
  void start(const std::string& url) { transfer = http.send({url, {}, nullptr, {2'000, 9'000, 9'000, 300}}, *this); }

  transport::Loop loop;
  client::HttpClient http{loop};
  client::HttpHead head;
  std::string body;
  size_t pieces = 0;
  std::function<void()> on_piece;
  std::optional<TransferEnd> end;
  std::unique_ptr<client::Transfer> transfer;
};

std::string response(const std::string& coding, const std::string& body) {
  return "HTTP/1.1 200 OK\r\n" + (coding.empty() ? "" : "Content-Encoding: " + coding + "\r\n") +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

TransferEnd ask(const std::string& bytes, std::string& body, bool closes = false) {
  support::ModelServer server;
  support::Script steps = {script::send(bytes)};
  if (closes) steps.push_back(script::close());
  server.answer(steps);
  Got got;
  got.start(server.base_url());
  got.run();
  REQUIRE(got.end);
  body = got.body;
  return *got.end;
}

std::string text() {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += "data: word " + std::to_string(i * 7919) + "\n\n";
  return text;
}

}  // namespace

TEST_CASE("gzip and deflate are undone, also without a header, and a header without its coding does no harm") {
  std::string body;
  CHECK(ask(response("gzip", packed(text(), Format::gzip)), body).cause == Cause::clean);
  CHECK(body == text());
  CHECK(ask(response("X-GZIP", packed(text(), Format::gzip)), body).cause == Cause::clean);
  CHECK(body == text());
  CHECK(ask(response("deflate", packed(text(), Format::zlib)), body).cause == Cause::clean);
  CHECK(body == text());
  CHECK(ask(response("deflate", packed(text(), Format::bare)), body).cause == Cause::clean);
  CHECK(body == text());
  CHECK(ask(response("", packed(text(), Format::gzip)), body).cause == Cause::clean);
  CHECK(body == text());
  CHECK(ask(response("gzip", text()), body).cause == Cause::clean);
  CHECK(body == text());
  CHECK(ask(response("utf-8", text()), body).cause == Cause::clean);
  CHECK(body == text());
}

TEST_CASE("an unknown coding is named, a broken body is said to be one, and half a body is cut") {
  std::string body;
  const TransferEnd unknown = ask(response("BR", "\x0b\x02\x80hello\x03"), body);
  CHECK(unknown.cause == Cause::undecodable);
  CHECK(unknown.message == "Content-Encoding br is not supported");
  CHECK(body == "");
  std::string changed = packed(text(), Format::gzip);
  changed[changed.size() / 2] = static_cast<char>(changed[changed.size() / 2] ^ 0x55);
  const TransferEnd broken = ask(response("gzip", changed), body);
  CHECK(broken.cause == Cause::undecodable);
  CHECK(broken.message == "the body is not valid gzip");
  const std::string bytes = packed(text(), Format::gzip);
  const TransferEnd half = ask(response("gzip", bytes.substr(0, bytes.size() / 2)), body);
  CHECK(half.cause == Cause::cut);
  CHECK(half.message == "the compressed body ended in the middle");
  CHECK(text().starts_with(body));
  CHECK(ask("HTTP/1.1 200 OK\r\n\r\n" + bytes, body, true).cause == Cause::clean);  // its end is that of the connection
  CHECK(body == text());
}

TEST_CASE("a few bytes that are 64 MiB wait for the handler and for the other streams") {
  const size_t size = 64u << 20;
  support::ModelServer server;
  const std::string bomb = packed(std::string(size, ' '), Format::gzip);
  REQUIRE(bomb.size() < 70'000);
  server.answer({script::send(response("gzip", bomb))});
  Got got;
  got.start(server.base_url());
  SECTION("a pause holds") {
    got.on_piece = [&] {
      got.body.clear();
      if (got.pieces == 3) got.transfer->pause();
    };
    got.run_for(200);
    CHECK(got.pieces == 3);
    CHECK_FALSE(got.end);
    got.on_piece = nullptr;
    got.transfer->resume();
    got.run();
    REQUIRE(got.end);
    CHECK(got.end->cause == Cause::clean);
    CHECK(got.body.size() == size - (size_t{3} << 14));
  }
  SECTION("between 128 KiB others have their turn") {
    size_t turn = 0, most = 0;
    std::function<void()> next = [&] {
      turn = 0;
      if (!got.end) got.loop.post(next);
    };
    got.loop.post(next);
    got.on_piece = [&] {
      turn += got.body.size();
      most = std::max(most, turn);
      got.body.clear();
    };
    got.run();
    REQUIRE(got.end);
    CHECK(most <= 256u << 10);  // a turn of ours may begin late in one of the loop's
  }
  SECTION("a handler that has enough ends it at once") {
    got.on_piece = [&] {
      if (got.pieces < 2) return;
      got.transfer.reset();
      got.loop.stop();
    };
    got.run();
    CHECK(got.pieces == 2);
    CHECK_FALSE(got.end);
    got.run_for(50);
    CHECK(got.pieces == 2);
  }
  SECTION("a transfer that is given up while it waits is not heard of again") {
    got.on_piece = [&] { got.loop.post([&] { got.transfer.reset(), got.loop.stop(); }); };
    got.run();
    const size_t pieces = got.pieces;
    got.run_for(50);
    CHECK(got.pieces == pieces);
  }
}

TEST_CASE("a connection is used again after a coded body") {
  support::ModelServer server;
  server.answer({script::send(response("gzip", packed(std::string(1u << 20, 'x'), Format::gzip)))});
  Got got;
  for (int i = 0; i < 2; ++i) {
    got.end.reset();
    got.body.clear();
    got.start(server.base_url());
    got.run();
    REQUIRE(got.end);
    CHECK(got.body.size() == 1u << 20);
  }
  CHECK(server.connections() == 1);
}

TEST_CASE("a coded body comes whole through a proxy") {
  support::ModelServer proxy;
  proxy.answer({script::send(response("gzip", packed(std::string(8u << 20, 'x'), Format::gzip)))});
  setenv("http_proxy", ("http://127.0.0.1:" + std::to_string(proxy.port())).c_str(), 1);
  {
    Got got;
    got.start("http://upstream.example/v1/x");
    got.run();
    REQUIRE(got.end);
    CHECK(got.end->cause == Cause::clean);
    CHECK(got.body.size() == 8u << 20);
  }
  unsetenv("http_proxy");
}
