#include "service/transport/listener.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <ctime>
#include <memory>
#include <system_error>
#include <vector>

#include "tests/support/catch.h"
#include "tests/transport/loop_fixture.h"

using namespace tokenrelay::transport;

namespace {

int connect_to(uint16_t port) {
  int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return descriptor;
  ::close(descriptor);
  return -1;
}

struct Clients {
  std::vector<int> descriptors;
  ~Clients() {
    for (int descriptor : descriptors) ::close(descriptor);
  }
  bool add(uint16_t port) {
    int descriptor = connect_to(port);
    if (descriptor >= 0) descriptors.push_back(descriptor);
    return descriptor >= 0;
  }
  // A reset is reported once; from then on the socket reads as ended.
  long reset_by_peer() const {
    return std::count_if(descriptors.begin(), descriptors.end(), [](int descriptor) {
      char byte;
      const auto got = ::recv(descriptor, &byte, 1, MSG_DONTWAIT);
      return got == 0 || (got < 0 && errno == ECONNRESET);
    });
  }
};

int64_t cpu_us() {
  timespec t{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1000;
}

}  // namespace

TEST_CASE("it takes its port at once, and clients from start() on", "[listener]") {
  Loop loop;
  Listener first(loop, "127.0.0.1:0", 10, [](Socket) {});
  CHECK(connect_to(first.port()) == -1);
  first.start();
  Clients clients;
  CHECK(clients.add(first.port()));
  CHECK_THROWS_AS(Listener(loop, "127.0.0.1:" + std::to_string(first.port()), 10, [](Socket) {}), std::system_error);
}

TEST_CASE("listens on what it is told and says where", "[listener]") {
  Loop loop;
  auto ignore = [](Socket) {};
  Listener v4(loop, "127.0.0.1:0", 10, ignore);
  CHECK(v4.port() != 0);
  CHECK(v4.host() == "127.0.0.1");
  CHECK(v4.loopback());
  Listener name(loop, "localhost:0", 10, ignore);
  CHECK(name.loopback());
  Listener any(loop, "0.0.0.0:0", 10, ignore);
  CHECK_FALSE(any.loopback());
  Listener v6(loop, "[::1]:0", 10, ignore);
  CHECK(v6.host() == "::1");
  CHECK(v6.loopback());
  // Two relays must not share a port unnoticed.
  v4.start();
  CHECK_THROWS_AS(Listener(loop, "127.0.0.1:" + std::to_string(v4.port()), 10, ignore), std::system_error);
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
                          "127.0.0.1:123456789012"}) {
    INFO(bad);
    CHECK_THROWS_AS(Listener(loop, bad, 10, ignore), std::system_error);
  }
}

TEST_CASE("hands connections over, and stop() closes the port", "[listener]") {
  Loop loop;
  std::vector<Socket> accepted;
  Listener listener(loop, "127.0.0.1:0", 100, [&](Socket socket) { accepted.push_back(std::move(socket)); });
  listener.start();
  Clients clients;
  for (int i = 0; i < 80; ++i) REQUIRE(clients.add(listener.port()));  // more than one batch
  REQUIRE(run_until(loop, [&] { return accepted.size() == 80; }));
  CHECK(listener.open_connections() == 80);
  for (auto& socket : accepted) CHECK(socket.is_open());
  listener.stop();
  CHECK_FALSE(clients.add(listener.port()));
  run_until(
      loop, [] { return false; }, 20);
}

TEST_CASE("at the bound a client is refused by a reset, and served again when a connection has ended", "[listener]") {
  Loop loop;
  std::vector<Socket> accepted;
  Listener listener(loop, "127.0.0.1:0", 3, [&](Socket socket) { accepted.push_back(std::move(socket)); });
  std::vector<std::string> refused;
  listener.when_refused([&](std::string_view reason) { refused.emplace_back(reason); });
  listener.start();
  Clients clients;
  for (int i = 0; i < 5; ++i) REQUIRE(clients.add(listener.port()));
  REQUIRE(run_until(loop, [&] { return accepted.size() == 3 && clients.reset_by_peer() == 2; }));
  CHECK(refused == std::vector<std::string>{"limit", "limit"});
  CHECK(listener.open_connections() == 3);
  accepted.erase(accepted.begin());
  listener.closed();
  REQUIRE(clients.add(listener.port()));
  REQUIRE(run_until(loop, [&] { return accepted.size() == 3; }));
  CHECK(listener.open_connections() == 3);
}

TEST_CASE("out of descriptors: no crash, no busy loop, waiting clients are refused in the end, later ones served",
          "[listener]") {
  Loop loop;
  std::vector<Socket> accepted;
  Listener listener(loop, "127.0.0.1:0", 100, [&](Socket socket) { accepted.push_back(std::move(socket)); });
  listener.start();
  Clients clients;
  REQUIRE(clients.add(listener.port()));
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  int highest = ::dup(clients.descriptors[0]);
  rlimit low{static_cast<rlim_t>(highest), before.rlim_max};  // nothing above what is open now
  ::close(highest);
  std::vector<int> fill;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  for (int d; (d = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) fill.push_back(d);
  const int64_t cpu = cpu_us();
  CHECK_FALSE(run_until(
      loop, [&] { return !accepted.empty(); }, 700));
  const int64_t spent = cpu_us() - cpu;
  char byte;
  bool refused = false;  // the kernel tells of a reset once
  run_until(loop, [&] {
    refused = refused || (::recv(clients.descriptors[0], &byte, 1, MSG_DONTWAIT) == -1 && errno == ECONNRESET);
    return refused;
  });
  for (int d : fill) ::close(d);
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(spent < 300'000);
  CHECK(refused);
  CHECK(accepted.empty());
  REQUIRE(clients.add(listener.port()));
  CHECK(run_until(loop, [&] { return accepted.size() == 1; }));
}
