#include "service/transport/socket.h"

#include <netinet/tcp.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <optional>
#include <vector>

#include "tests/support/catch.h"
#include "tests/transport/loop_fixture.h"

using namespace tokenrelay::transport;

namespace {

iovec piece(const std::string& text) {
  return {const_cast<char*>(text.data()), text.size()};
}

IoResult write(Socket& socket, const std::vector<std::string>& texts) {
  std::vector<iovec> parts;
  for (const auto& text : texts) parts.push_back(piece(text));
  return socket.write(parts);
}

}  // namespace

TEST_CASE("reads and writes what the kernel does now", "[socket]") {
  Loop loop;
  TcpPair pair;
  Socket socket(loop, pair.server);
  REQUIRE(socket.is_open());
  CHECK(socket.peer_address() == "127.0.0.1");
  CHECK(socket.peer_port() != 0);
  char room[64];
  CHECK(socket.read(room, sizeof room).status == IoStatus::would_block);
  auto wrote = write(socket, {"one ", "", "two"});
  CHECK(wrote.status == IoStatus::done);
  CHECK(wrote.bytes == 7);
  REQUIRE(::recv(pair.client, room, 7, MSG_WAITALL) == 7);
  CHECK(std::string(room, 7) == "one two");
  bool ready = false;
  socket.wait_readable([&] { ready = true; });
  REQUIRE(::send(pair.client, "hello", 5, 0) == 5);
  REQUIRE(run_until(loop, [&] { return ready; }));
  auto got = socket.read(room, sizeof room);
  CHECK(got.status == IoStatus::done);
  CHECK(std::string(room, got.bytes) == "hello");
  pair.close_client();
  ready = false;
  socket.wait_readable([&] { ready = true; });
  REQUIRE(run_until(loop, [&] { return ready; }));
  CHECK(socket.read(room, sizeof room).status == IoStatus::eof);
}

TEST_CASE("a full socket would block, and is writable again when the peer reads", "[socket]") {
  Loop loop;
  TcpPair pair;
  Socket socket(loop, pair.server);
  socket.prepare_for_stream();
  std::string block(64 << 10, 'x');
  size_t sent = 0;
  IoResult last{};
  while ((last = write(socket, {block})).status == IoStatus::done) sent += last.bytes;
  CHECK(last.status == IoStatus::would_block);
  bool ready = false;
  socket.wait_writable([&] { ready = true; });
  CHECK_FALSE(run_until(
      loop, [&] { return ready; }, 50));
  std::string room(sent, '\0');
  size_t got = 0;
  while (got < sent) {
    ssize_t n = ::recv(pair.client, room.data(), room.size(), MSG_DONTWAIT);
    if (n > 0) {
      got += static_cast<size_t>(n);
    } else {
      REQUIRE(errno == EAGAIN);
      run_until(loop, [] { return true; });
    }
  }
  REQUIRE(run_until(loop, [&] { return ready; }));
  CHECK(write(socket, {"y"}).status == IoStatus::done);
}

TEST_CASE("reading and writing wait side by side", "[socket]") {
  Loop loop;
  TcpPair pair;
  Socket socket(loop, pair.server);
  int readable = 0;
  int writable = 0;
  socket.wait_readable([&] { ++readable; });
  socket.wait_writable([&] { ++writable; });
  REQUIRE(run_until(loop, [&] { return writable == 1; }));
  CHECK(readable == 0);
  REQUIRE(::send(pair.client, "x", 1, 0) == 1);
  REQUIRE(run_until(loop, [&] { return readable == 1; }));
  CHECK(writable == 1);
}

TEST_CASE("a pending wait's callback is dropped, not called", "[socket]") {
  Loop loop;
  TcpPair pair;
  auto token = std::make_shared<int>(0);
  int called = 0;
  std::optional<Socket> socket;
  socket.emplace(loop, pair.server);
  REQUIRE(::send(pair.client, "x", 1, 0) == 1);  // ready already: the completion may be under way
  socket->wait_readable([&, token] { ++called; });
  socket->wait_writable([&, token] { ++called; });
  SECTION("by cancel_waits, and a new wait works") {
    run_until(
        loop, [] { return true; }, 0);
    called = 0;
    socket->cancel_waits();
    CHECK(token.use_count() == 1);
    bool ready = false;
    socket->wait_readable([&] { ready = true; });
    REQUIRE(run_until(loop, [&] { return ready; }));
    CHECK(called == 0);
  }
  SECTION("by destruction") {
    socket.reset();
  }
  SECTION("by cut") {
    socket->cut();
  }
  SECTION("by close") {
    socket->close();
  }
  SECTION("by moving another socket in") {
    *socket = Socket();
  }
  CHECK(token.use_count() == 1);
  run_until(
      loop, [] { return false; }, 30);
  CHECK(called == 0);
}

TEST_CASE("the callback may destroy the socket", "[socket]") {
  Loop loop;
  TcpPair pair;
  auto socket = std::make_unique<Socket>(loop, pair.server);
  bool called = false;
  std::string capture = "long enough that the function has it on the heap, and reads it after the socket is gone";
  socket->wait_writable([&, capture] {
    socket.reset();
    called = capture.size() > 10;
  });
  CHECK(run_until(loop, [&] { return called; }));
}

TEST_CASE("a cut is a reset, a close is an end", "[socket]") {
  Loop loop;
  TcpPair pair;
  Socket socket(loop, pair.server);
  REQUIRE(write(socket, {"data"}).bytes == 4);
  char room[16];
  SECTION("cut") {
    REQUIRE(::recv(pair.client, room, 4, MSG_WAITALL) == 4);
    socket.cut();
    CHECK(::recv(pair.client, room, sizeof room, 0) == -1);
    CHECK(errno == ECONNRESET);
  }
  SECTION("close") {
    socket.close();
    CHECK(::recv(pair.client, room, 4, MSG_WAITALL) == 4);
    CHECK(::recv(pair.client, room, sizeof room, 0) == 0);
  }
  SECTION("end_writing leaves reading open") {
    socket.end_writing();
    CHECK(::recv(pair.client, room, 4, MSG_WAITALL) == 4);
    CHECK(::recv(pair.client, room, sizeof room, 0) == 0);
    REQUIRE(::send(pair.client, "late", 4, 0) == 4);
    bool ready = false;
    socket.wait_readable([&] { ready = true; });
    REQUIRE(run_until(loop, [&] { return ready; }));
    CHECK(socket.read(room, sizeof room).bytes == 4);
  }
  if (!socket.is_open()) {
    CHECK(socket.read(room, sizeof room).status == IoStatus::failed);
    CHECK(write(socket, {"x"}).status == IoStatus::failed);
    CHECK(socket.descriptor() == -1);
  }
}

TEST_CASE("writing to a peer that is gone fails without a signal", "[socket]") {
  Loop loop;
  TcpPair pair;
  Socket socket(loop, pair.server);
  linger reset{1, 0};
  ::setsockopt(pair.client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  pair.close_client();
  IoResult result{IoStatus::done};
  CHECK(run_until(loop, [&] { return (result = write(socket, {"x"})).status == IoStatus::failed; }));
}

TEST_CASE("options of a connection", "[socket]") {
  Loop loop;
  TcpPair pair;
  Socket socket(loop, pair.server);
  auto option = [&](int level, int name) {
    int value = 0;
    socklen_t size = sizeof value;
    REQUIRE(::getsockopt(socket.descriptor(), level, name, &value, &size) == 0);
    return value;
  };
  CHECK(option(IPPROTO_TCP, TCP_NODELAY) == 1);
  socket.prepare_for_stream();
  CHECK(option(IPPROTO_TCP, TCP_NOTSENT_LOWAT) == 16 << 10);
  CHECK(option(SOL_SOCKET, SO_SNDBUF) == 128 << 10);  // the kernel doubles it for its own book-keeping
  socket.give_up_after(7'000);
  CHECK(option(IPPROTO_TCP, TCP_USER_TIMEOUT) == 7'000);
}

TEST_CASE("more parts than the kernel takes at once are written in part", "[socket]") {
  Loop loop;
  TcpPair pair;
  Socket socket(loop, pair.server);
  std::string one = "z";
  std::vector<iovec> parts(3000, piece(one));
  auto wrote = socket.write(parts);
  CHECK(wrote.status == IoStatus::done);
  CHECK(wrote.bytes == 1024);
}
