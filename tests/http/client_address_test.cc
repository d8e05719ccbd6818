#include "service/http/client_address.h"

#include "tests/support/catch.h"

using namespace tokenrelay::http;

TEST_CASE("networks", "[client_address]") {
  CHECK(in_network("10.1.2.3", "10.0.0.0/8"));
  CHECK(in_network("10.1.2.3", "10.1.2.3"));
  CHECK(in_network("10.1.2.3", "0.0.0.0/0"));
  CHECK(in_network("192.168.1.129", "192.168.1.128/25"));
  CHECK_FALSE(in_network("192.168.1.127", "192.168.1.128/25"));
  CHECK_FALSE(in_network("11.0.0.1", "10.0.0.0/8"));
  CHECK(in_network("fd00::1", "fd00::/8"));
  CHECK_FALSE(in_network("fe80::1", "fd00::/8"));
  CHECK(in_network("::1", "::1"));
  CHECK_FALSE(in_network("10.0.0.1", "::/0"));  // a rule for IPv6 says nothing of IPv4
  for (const char* bad : {"", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0/8", "x"}) {
    CHECK_FALSE(in_network("10.0.0.1", bad));
  }
  CHECK_FALSE(in_network("", "0.0.0.0/0"));
}

TEST_CASE("the rightmost address that is no trusted proxy's", "[client_address]") {
  const std::vector<std::string> trusted = {"127.0.0.1", "10.0.0.0/8"};
  auto client = [&](const std::string& peer, const std::vector<std::string>& forwarded) {
    Request request;
    for (const auto& value : forwarded) request.headers.emplace_back("x-forwarded-for", value);
    return client_address(request, peer, trusted);
  };
  CHECK(client("127.0.0.1", {}) == "127.0.0.1");
  CHECK(client("127.0.0.1", {"1.2.3.4"}) == "1.2.3.4");
  CHECK(client("5.6.7.8", {"1.2.3.4"}) == "5.6.7.8");  // not a proxy: it may say what it likes
  CHECK(client("127.0.0.1", {"6.6.6.6, 1.2.3.4, 10.0.0.9"}) ==
        "1.2.3.4");  // what stands left of it is the client's claim
  CHECK(client("127.0.0.1", {"6.6.6.6", "1.2.3.4 ,10.0.0.9"}) == "1.2.3.4");
  CHECK(client("127.0.0.1", {"10.0.0.8, 10.0.0.9"}) == "10.0.0.8");
  CHECK(client("127.0.0.1", {"1.2.3.4:555"}) == "1.2.3.4");
  CHECK(client("127.0.0.1", {"[2001:db8::1]:555"}) == "2001:db8::1");
  CHECK(client("127.0.0.1", {"2001:db8::1"}) == "2001:db8::1");
  CHECK(client("127.0.0.1", {"1.2.3.4, unknown"}) == "127.0.0.1");
  CHECK(client("127.0.0.1", {"1.2.3.4, evil\x01, 10.0.0.9"}) == "10.0.0.9");
  Request request;
  request.headers.emplace_back("x-forwarded-for", "1.2.3.4");
  CHECK(client_address(request, "127.0.0.1", {}) == "127.0.0.1");
}
