#include "service/http/origin.h"

#include "tests/support/catch.h"

using namespace tokenrelay::http;

TEST_CASE("the name in Host, and its port", "[origin]") {
  struct Row {
    const char *text, *host;
    int port;  // -1: none
  };
  for (const Row& row : {Row{"relay.example", "relay.example", -1},
                         {"Relay.EXAMPLE:8080", "relay.example", 8080},
                         {"localhost.:80", "localhost", 80},
                         {"localhost:", "localhost", -1},
                         {"10.0.0.1:1", "10.0.0.1", 1},
                         {"[::1]", "::1", -1},
                         {"[0:0:0:0:0:0:0:1]:8080", "::1", 8080},
                         {"[FD00::A]:65535", "fd00::a", 65535}}) {
    INFO(row.text);
    const auto read = parse_authority(row.text);
    REQUIRE(read);
    CHECK(read->host == row.host);
    CHECK(read->port == (row.port < 0 ? std::nullopt : std::optional<uint16_t>(row.port)));
  }
  for (const char* bad :
       {"", ":80", ".", "localhost:80:evil", "[::1]:evil.com", "[::1]x", "[::1", "[x]", "::1", "a b", "a/b",
        "user@relay.example", "localhost:65536", "localhost:-1", "localhost:+1", "localhost:8 "}) {
    INFO(bad);
    CHECK_FALSE(parse_authority(bad));
  }
}

TEST_CASE("loopback names", "[origin]") {
  auto loopback = [](std::string_view text) {
    const auto read = parse_authority(text);
    return read && is_loopback_name(read->host);
  };
  for (const char* good : {"localhost", "LocalHost:8080", "localhost.", "localhost.:80", "127.0.0.1", "127.0.0.1:1",
                           "127.1.2.3", "[::1]", "[::1]:8080", "[0:0:0:0:0:0:0:1]"}) {
    INFO(good);
    CHECK(loopback(good));
  }
  for (const char* bad : {"", "example.com", "localhost.example.com", "127.0.0.1.example.com", "127.0.0.1.nip.io",
                          "128.0.0.1", "0.0.0.0", "[::2]", "[::1", "[::1]x", "::1", "localhost..", "127.1"}) {
    INFO(bad);
    CHECK_FALSE(loopback(bad));
  }
}

TEST_CASE("origins: scheme, host and port", "[origin]") {
  CHECK(parse_origin("https://relay.example") == parse_origin("HTTPS://Relay.example:443"));
  CHECK(parse_origin("http://relay.example") == parse_origin("http://relay.example:80"));
  CHECK(parse_origin("http://relay.example") != parse_origin("https://relay.example"));
  CHECK(parse_origin("http://relay.example") != parse_origin("http://relay.example:8080"));
  CHECK(parse_origin("http://relay.example:443") != parse_origin("https://relay.example"));
  CHECK(parse_origin("http://[::1]:1") == make_origin("http", {"::1", 1}));
  for (const char* none : {"null", "", "relay.example", "file://", "chrome-extension://relay.example",
                           "evil://127.0.0.1", "https://relay.example/", "https://relay.example/x",
                           "https://a@relay.example", "https://", "http://relay.example:0"}) {
    INFO(none);
    CHECK_FALSE(parse_origin(none));
  }
}
