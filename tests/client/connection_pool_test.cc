// Connections between two requests: whose they are, and when they go.
#include "service/client/connection_pool.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

using namespace tokenrelay;
using client::Connection;
using client::Origin;

namespace {

const Origin here{false, "here", "http://here:80/"}, there{false, "there", "http://there:80/"};

// A connection, and the server's end of it.
struct Pair {
  explicit Pair(const Origin& origin) {
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
    connection = std::make_unique<Connection>(ends[0], origin, nullptr);
  }
  ~Pair() { close(ends[1]); }
  bool closed() const {
    char byte;
    const ssize_t got = recv(ends[1], &byte, 1, MSG_PEEK);
    return got == 0 || (got < 0 && errno == ECONNRESET);  // a reset, where something was unread
  }
  int ends[2];
  std::unique_ptr<Connection> connection;
};

struct Pool : support::ManualLoop {
  std::shared_ptr<client::Poller> poller = client::Poller::make(loop.context());
  client::ConnectionPool idle{loop, poller};
};

}  // namespace

TEST_CASE("an idle connection serves its own origin, the one used last first") {
  Pool pool;
  Pair first(here), second(here), other(there);
  const Connection* const last = second.connection.get();
  for (Pair* pair : {&first, &second, &other}) pool.idle.put(std::move(pair->connection));
  CHECK(pool.idle.take({true, "here", "http://here:80/"}) == nullptr);
  const auto taken = pool.idle.take(here);
  CHECK(taken.get() == last);
  pool.poller->forget(taken->descriptor());
}

TEST_CASE("an idle connection goes after 60 s, each in its own time") {
  Pool pool;
  Pair early(here), late(here);
  pool.idle.put(std::move(early.connection));
  pool.advance(40'000);
  pool.idle.put(std::move(late.connection));
  pool.advance(19'000);
  CHECK_FALSE(early.closed());
  pool.advance(1'100);
  CHECK(early.closed());
  CHECK_FALSE(late.closed());
  pool.advance(40'000);
  CHECK(late.closed());
  CHECK(pool.idle.take(here) == nullptr);
}

TEST_CASE("an idle connection that its server closes, or speaks on, is gone") {
  Pool pool;
  Pair closes(here), speaks(here), unseen(there);
  for (Pair* pair : {&closes, &speaks, &unseen}) pool.idle.put(std::move(pair->connection));
  shutdown(closes.ends[1], SHUT_WR);
  REQUIRE(send(speaks.ends[1], "x", 1, 0) == 1);
  pool.settle();
  CHECK(closes.closed());
  CHECK(speaks.closed());
  CHECK_FALSE(unseen.closed());
  shutdown(unseen.ends[1], SHUT_WR);  // the loop has not seen it when the next request comes
  CHECK(pool.idle.take(there) == nullptr);
}
