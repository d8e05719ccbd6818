#include "service/http/streaming_body.h"

#include <malloc.h>

#include <optional>
#include <string>
#include <vector>

#include "tests/http/asking.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace std::chrono_literals;
using namespace tokenrelay::http;
using support::BodyEnd;
using support::HttpConnection;

namespace {

const std::string get_stream = get("/stream");

// A server, and a connection that has asked it for a stream.
class Streaming {
 protected:
  void ask(const std::string& request = get_stream, int receive_buffer = 0) {
    server.start();
    connection.emplace(server.port(), receive_buffer);
    connection->send(request);
    stream = &server.stream(0);
  }
  bool write(TestStream& to, const std::vector<std::string>& texts) {
    return server.ask<bool>([&] {
      std::vector<std::string_view> parts(texts.begin(), texts.end());
      return to.body->write(parts);
    });
  }
  bool write(const std::vector<std::string>& texts) { return write(*stream, texts); }
  void finish(TestStream& to, const std::string& text) {
    server.call([&] {
      std::string_view part = text;
      to.body->finish({&part, 1});
    });
  }
  void finish(const std::string& text) { finish(*stream, text); }
  // Writes until the peer's and the kernel's buffers are full; how many bytes were offered.
  size_t fill() {
    const std::string block(16 << 10, 's');
    size_t offered = block.size();
    while (write({block})) offered += block.size();
    return offered;
  }
  // All that comes until it is quiet for a moment or the connection ends.
  std::string raw(support::Got& last, std::chrono::milliseconds quiet = 100ms) {
    std::string out = connection->pending();
    while ((last = connection->socket().receive(out, quiet)) == support::Got::bytes) {
    }
    return out;
  }

  TestServer server;
  std::optional<HttpConnection> connection;
  TestStream* stream = nullptr;  // the connection's
};

}  // namespace

TEST_CASE_METHOD(Streaming, "chunks, one per write, and a clean end after which the connection goes on",
                 "[streaming_body]") {
  server.stream_options.headers = {{"Content-Type", "text/event-stream"}};
  ask("GET /stream HTTP/1.1\r\n" + host + "Request-Id: r1\r\n\r\n");
  CHECK(server.ask<bool>([&] { return stream->body->flush_head(); }));
  auto head = connection->read_head(5s);
  REQUIRE(head);
  CHECK(head->status == 200);
  CHECK(head->get("Content-Type") == "text/event-stream");
  CHECK(head->get("Transfer-Encoding") == "chunked");
  CHECK(head->get("Request-Id") == "r1");
  CHECK(head->get("Date"));
  CHECK_FALSE(head->get("Connection"));
  CHECK_FALSE(head->get("Content-Length"));
  CHECK(write({"ab", "", "cd"}));
  std::string body;
  while (body.size() < 4) connection->read_some(body, 5s);
  CHECK(body == "abcd");
  finish("end");
  CHECK(connection->read_body(5s) == "end");
  CHECK(connection->end() == BodyEnd::clean);
  CHECK(server.ask<bool>([&] { return stream->body->over(); }));
  CHECK_FALSE(write({"late"}));
  connection->send("GET /hello HTTP/1.1\r\n" + host + "\r\n");
  REQUIRE(connection->read_head(5s));
  CHECK(connection->read_body(5s) == "hello");
  CHECK(server.connections() == 1);
  CHECK_FALSE(stream->gone);
}

TEST_CASE_METHOD(Streaming, "exact bytes: the head rides on the first write, the last chunk on the last data",
                 "[streaming_body]") {
  ask();
  CHECK(write({std::string(26, 'a')}));
  finish("z");
  support::Got last{};
  std::string all = raw(last);
  CHECK(all.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(all.ends_with("\r\n\r\n1a\r\n" + std::string(26, 'a') + "\r\n1\r\nz\r\n0\r\n\r\n"));
  connection->send(get_stream);
  finish(server.stream(1), "");
  all = raw(last);
  CHECK(all.ends_with("chunked\r\n\r\n0\r\n\r\n"));
}

TEST_CASE_METHOD(Streaming, "a request that was pipelined behind a stream is served after it", "[streaming_body]") {
  ask(get_stream + "GET /hello HTTP/1.1\r\n" + host + "\r\n");
  CHECK(write({"one"}));
  connection->send("GET /hello HTTP/1.1\r\n" + host + "\r\n");  // arrives while it streams
  finish("two");
  REQUIRE(connection->read_head(5s));
  CHECK(connection->read_body(5s) == "onetwo");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(connection->read_head(5s));
    CHECK(connection->read_body(5s) == "hello");
  }
}

TEST_CASE_METHOD(Streaming, "a cut is a reset, however it comes about", "[streaming_body]") {
  ask();
  CHECK(write({"data"}));
  REQUIRE(connection->read_head(5s));
  std::string body;
  while (body.size() < 4) connection->read_some(body, 5s);
  SECTION("cut()") {
    server.call([&] { stream->body->cut(); });
  }
  SECTION("destroyed unfinished") {
    server.call([&] { stream->body.reset(); });
  }
  CHECK(connection->read_body(5s).empty());
  CHECK(connection->end() == BodyEnd::reset);
  CHECK(server.connections() == 0);
  CHECK(server.ended() == 1);
  CHECK_FALSE(stream->gone);
}

TEST_CASE_METHOD(Streaming, "the owner learns that the peer left, while nothing is written", "[streaming_body]") {
  ask();
  server.call([&] { stream->body->flush_head(); });
  SECTION("with an end") {
    connection->socket().close();
  }
  SECTION("with a reset") {
    connection->socket().reset();
  }
  SECTION("by an end of its sending side, which cannot be told from leaving") {
    connection->socket().finish_sending();
  }
  CHECK(support::wait_until([&] { return stream->gone.load(); }, 5s));
  CHECK(server.ask<bool>([&] { return stream->body->over(); }));
  CHECK_FALSE(write({"x"}));
  CHECK(server.ended() == 1);
}

TEST_CASE_METHOD(Streaming, "writing into a connection that has just broken tells the owner later, once",
                 "[streaming_body]") {
  ask();
  server.call([&] {
    connection->socket().reset();
    std::string_view part = "x";
    // The kernel may take the first one before it knows.
    for (int i = 0; i < 1000 && stream->body->write({&part, 1}); ++i) {
    }
    CHECK_FALSE(stream->gone);
  });
  CHECK(support::wait_until([&] { return stream->gone.load(); }, 5s));
  CHECK(server.ended() == 1);
}

TEST_CASE_METHOD(Streaming, "a slow reader: a bounded amount is held, room is announced, nothing is lost",
                 "[streaming_body]") {
  ask(get_stream, 4096);
  size_t offered = fill();
  CHECK(offered < (512 << 10));  // kernel buffers and the rest of one write
  CHECK_FALSE(server.ask<bool>([&] { return stream->body->has_room(); }));
  CHECK_FALSE(write({"not now"}));
  CHECK(stream->rooms == 0);
  REQUIRE(connection->read_head(5s));
  std::string body;
  while (body.size() < offered) REQUIRE(connection->read_some(body, 5s) == BodyEnd::open);
  CHECK(support::wait_until([&] { return stream->rooms == 1; }, 5s));
  finish("end");
  body += connection->read_body(5s);
  CHECK(body.size() == offered + 3);
  CHECK(body.find_first_not_of('s') == offered);
  CHECK(connection->end() == BodyEnd::clean);
}

TEST_CASE_METHOD(Streaming, "finished without room: the rest leaves by itself, also when the owner is gone",
                 "[streaming_body]") {
  ask(get_stream, 4096);
  size_t offered = fill();
  finish("end");
  server.call([&] { stream->body.reset(); });
  REQUIRE(connection->read_head(5s));
  std::string body = connection->read_body(10s);
  CHECK(body.size() == offered + 3);
  CHECK(connection->end() == BodyEnd::clean);
  connection->send("GET /hello HTTP/1.1\r\n" + host + "\r\n");
  REQUIRE(connection->read_head(5s));
  CHECK(connection->read_body(5s) == "hello");
  CHECK(stream->rooms == 0);
}

TEST_CASE_METHOD(Streaming, "a peer that takes no byte is cut when bytes are due, and only then", "[streaming_body]") {
  server.stream_options.write_stall_ms = 200;
  ask(get_stream, 4096);
  HttpConnection idle(server.port());
  idle.send(get_stream);
  TestStream& second = server.stream(1);
  CHECK(write(second, {"x"}));
  fill();
  SECTION("unfinished") {
    CHECK(support::wait_until([&] { return stream->gone.load(); }, 5s));
    CHECK(stream->body->stalled());
  }
  SECTION("finished") {
    finish("end");
    CHECK(support::wait_until([&] { return server.ended() == 1; }, 5s));
    CHECK_FALSE(stream->gone);
  }
  // The second was written to before the first: a timer of its own would have been due before the first one's.
  CHECK(server.connections() == 1);
  CHECK(write(second, {"y"}));
  CHECK_FALSE(second.gone);
}

TEST_CASE_METHOD(Streaming, "what a client says meanwhile is kept up to a bound", "[streaming_body]") {
  ask();
  server.call([&] { stream->body->flush_head(); });
  connection->send(std::string(16 << 10, 'x'));
  CHECK_FALSE(support::wait_until([&] { return stream->gone.load(); }, 100ms));
  connection->send("x");
  CHECK(support::wait_until([&] { return stream->gone.load(); }, 5s));
  CHECK(server.ended() == 1);
}

TEST_CASE_METHOD(Streaming, "HTTP/1.0 is close-delimited under the same rules", "[streaming_body]") {
  ask("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(write({"ab", "cd"}));
  auto head = connection->read_head(5s);
  REQUIRE(head);
  CHECK_FALSE(head->get("Transfer-Encoding"));
  CHECK(head->get("Connection") == "close");
  SECTION("finished: an end") {
    finish("end");
    support::Got last{};
    CHECK(raw(last, 3s) == "abcdend");
    CHECK(last == support::Got::fin);
  }
  SECTION("cut: a reset") {
    std::string got = connection->pending();
    while (got.size() < 4) connection->socket().receive(got, 5s);
    server.call([&] { stream->body->cut(); });
    support::Got last{};
    raw(last, 3s);
    CHECK(last == support::Got::reset);
  }
}

TEST_CASE_METHOD(Streaming, "HEAD gets the head and the connection goes on", "[streaming_body]") {
  ask("HEAD /stream HTTP/1.1\r\n" + host + "\r\n");
  CHECK(write({"nothing of this"}));
  finish("nor this");
  connection->send("GET /hello HTTP/1.1\r\n" + host + "\r\n");
  std::string all;
  while (!all.ends_with("hello") && connection->socket().receive(all, 5s) == support::Got::bytes) {
  }
  CHECK(all.find("nothing") == std::string::npos);
  CHECK(all.find("Transfer-Encoding: chunked\r\n\r\nHTTP/1.1 200 OK\r\n") != std::string::npos);
  CHECK(all.ends_with("hello"));
}

TEST_CASE_METHOD(Streaming, "Connection: close from the client: a clean end, then the end of the connection",
                 "[streaming_body]") {
  ask("GET /stream HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n");
  finish("end");
  auto head = connection->read_head(5s);
  REQUIRE(head);
  CHECK_FALSE(head->get("Connection"));  // Node's fetch would take a cut for an end
  CHECK(connection->read_body(5s) == "end");
  CHECK(connection->end() == BodyEnd::clean);
  CHECK(connection->closes(5s));
}

TEST_CASE_METHOD(Streaming, "streams taken before the drain end the connection afterwards", "[streaming_body]") {
  ask();
  server.drain();
  CHECK(write({"still "}));
  finish("served");
  REQUIRE(connection->read_head(5s));
  CHECK(connection->read_body(5s) == "still served");
  CHECK(connection->closes(5s));
  CHECK(support::wait_until([&] { return server.connections() == 0; }, 5s));
}

TEST_CASE("a thousand streams, each written and finished", "[streaming_body]") {
  TestServer server;
  server.start();
  std::vector<std::unique_ptr<HttpConnection>> all;
  for (int i = 0; i < 1000; ++i) {
    all.push_back(std::make_unique<HttpConnection>(server.port()));
    all.back()->send(get_stream);
  }
  for (size_t i = 0; i < all.size(); ++i) {
    TestStream& stream = server.stream(i);
    server.call([&] {
      std::string_view part = "data";
      stream.body->write({&part, 1});
      if (i % 2 == 0) stream.body->finish({&part, 1});
    });
  }
  size_t clean = 0;
  for (auto& connection : all) {
    REQUIRE(connection->read_head(5s));
    std::string body;
    BodyEnd end = BodyEnd::open;
    while (end == BodyEnd::open && body.size() < 4) end = connection->read_some(body, 5s);
    REQUIRE(body.starts_with("data"));
    // Every other one was finished before the first was read.
    if ((&connection - &all[0]) % 2 == 0)
      clean += connection->read_body(5s).empty() && connection->end() == BodyEnd::clean;
  }
  CHECK(clean == 500);
  CHECK(server.connections() == 1000);
}

TEST_CASE("heap of an idle stream", "[.bench]") {
  TestServer server;
  server.stream_options.headers = {{"Content-Type", "text/event-stream"}, {"Cache-Control", "no-store, no-transform"}};
  server.keep_records = false;
  server.start();
  std::vector<support::Socket> clients;
  clients.reserve(10'000);
  std::string in;
  auto open = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      support::Socket& client = clients.emplace_back(support::Socket::connect(server.port()));
      client.send_all(get_stream);
      TestStream& stream = server.stream(clients.size() - 1);
      server.call([&] { stream.body->flush_head(); });
      REQUIRE(client.receive(in, 5s) == support::Got::bytes);
      in.clear();
    }
  };
  constexpr size_t n = 2'000;
  open(200);  // warm pools
  auto before = mallinfo2().uordblks;
  open(n);
  // The test's own: the list's node.
  WARN((mallinfo2().uordblks - before) / n - (sizeof(TestStream) + 32) << " bytes of heap each");
  CHECK((mallinfo2().uordblks - before) / n < 1'200);
}

TEST_CASE("what an end holds is let go once all of it has left, or the connection is over", "[streaming_body]") {
  TestServer server;
  server.start();
  const std::string large(8 << 20, 'x');
  const auto held_end = [&](TestStream& stream) {
    auto held = std::make_shared<int>(0);
    std::weak_ptr<int> watched = held;
    server.call([&] {
      std::string_view part = large;
      stream.body->finish({&part, 1}, std::move(held));
    });
    return watched;
  };
  const auto gone = [&](std::weak_ptr<int>& watched) { return server.ask<bool>([&] { return watched.expired(); }); };
  HttpConnection reads(server.port(), 4096), leaves(server.port(), 4096);
  reads.send(get_stream);
  auto until_read = held_end(server.stream(0));
  CHECK_FALSE(gone(until_read));
  REQUIRE(reads.read_head(5s));
  CHECK(reads.read_body(20s) == large);
  CHECK(support::wait_until([&] { return gone(until_read); }, 5s));
  leaves.send(get_stream);
  auto until_gone = held_end(server.stream(1));
  CHECK_FALSE(gone(until_gone));
  leaves.socket().reset();
  CHECK(support::wait_until([&] { return gone(until_gone); }, 5s));
}
