// The rules on names and sites, each row as a browser or a proxy sends it.
#include "service/http/access.h"

#include "tests/support/catch.h"

using namespace tokenrelay::http;

namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

Request asked(std::string method, Headers headers, std::string path = "/v1/streams") {
  Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.headers = std::move(headers);
  return request;
}

const Arrival on_loopback = {"127.0.0.1", true, false};
const Arrival from_afar = {"10.0.0.7", false, false};

// 200, or the status of the refusal.
int status(const Request& request, const Arrival& arrival, const ServerOptions& options) {
  if (const auto refused = refuse_host(request, arrival, options)) return refused->status;
  const auto refused = refuse_cross_site(request, arrival, own_origin(request, arrival, options), options);
  return refused ? refused->status : 200;
}

std::string detail(const Request& request, const Arrival& arrival, const ServerOptions& options) {
  if (const auto refused = refuse_host(request, arrival, options)) return refused->body;
  const auto refused = refuse_cross_site(request, arrival, own_origin(request, arrival, options), options);
  return refused ? refused->body : "";
}

// The fixture of a relay with a public name.
ServerOptions public_relay() {
  ServerOptions options;
  options.hosts = {"relay.example"};
  options.public_origins = {"https://relay.example"};
  options.cors_origins = {"https://app.example"};
  options.any_host_paths = {"/healthz", "/readyz"};
  return options;
}

}  // namespace

TEST_CASE("names: those of `hosts`, on loopback those of loopback too", "[access]") {
  ServerOptions options = public_relay();
  auto from = [&](const std::string& host, const Arrival& arrival) {
    return status(asked("GET", {{"host", host}}), arrival, options);
  };
  for (const char* name : {"relay.example", "RELAY.example:8443", "relay.example."}) {
    CHECK(from(name, on_loopback) == 200);
    CHECK(from(name, from_afar) == 200);
  }
  for (const char* name : {"localhost", "127.0.0.1:1", "[::1]:80"}) {
    CHECK(from(name, on_loopback) == 200);
    CHECK(from(name, from_afar) == 421);
  }
  for (const char* name :
       {"evil.example", "relay.example.evil.example", "xrelay.example", "127.0.0.1.evil.example", ""}) {
    INFO(name);
    CHECK(from(name, on_loopback) == 421);
    CHECK(from(name, from_afar) == 421);
  }
  CHECK(status(asked("GET", {}), on_loopback, options) == 200);  // HTTP/1.0: no browser
  options.hosts = {"fd00::1", "[fd00::2]"};
  CHECK(from("[fd00::1]:80", from_afar) == 200);
  CHECK(from("[FD00:0::2]", from_afar) == 200);
  CHECK(from("[fd00::3]", from_afar) == 421);
  options.hosts = {"*"};
  CHECK(from("evil.example", from_afar) == 200);
  CHECK(from("", on_loopback) == 200);
}

TEST_CASE("health checks may use any name, in every spelling of their paths", "[access]") {
  ServerOptions options = public_relay();
  const Headers foreign = {{"host", "10.1.2.3:8080"}};
  for (const char* path : {"/healthz", "/readyz", "/%68ealthz"})
    CHECK(status(asked("GET", foreign, path), from_afar, options) == 200);
  for (const char* path : {"/metrics", "/healthz/", "/v1/streams", "/"}) {
    CHECK(status(asked("GET", foreign, path), from_afar, options) == 421);
  }
  options.check_host = false;  // admin_listen
  CHECK(status(asked("GET", foreign, "/metrics"), from_afar, options) == 200);
}

TEST_CASE("a 421 says which key and value let the name in", "[access]") {
  const auto body = detail(asked("GET", {{"host", "Other.example:81"}}), on_loopback, {});
  INFO(body);
  CHECK(body.find(R"(hosts = [\"other.example\"])") != std::string::npos);
}

TEST_CASE("what a trusted proxy says of scheme and name counts", "[access]") {
  ServerOptions options = public_relay();
  options.public_origins = {};
  options.trusted_proxies = {"127.0.0.1"};
  auto from = [&](Headers more, const std::string& origin, const Arrival& arrival = on_loopback) {
    more.emplace_back("host", "127.0.0.1:8080");
    more.emplace_back("origin", origin);
    return status(asked("POST", more), arrival, options);
  };
  const Headers both = {{"x-forwarded-proto", "https"}, {"x-forwarded-host", "relay.example"}};
  CHECK(from(both, "https://relay.example") == 200);
  CHECK(from(both, "https://relay.example:443") == 200);
  CHECK(from(both, "http://relay.example") == 403);
  CHECK(from(both, "https://relay.example:444") == 403);
  CHECK(from(both, "http://127.0.0.1:8080") == 403);  // a page on the visitor's own machine
  CHECK(from({{"x-forwarded-host", "relay.example"}}, "http://relay.example") == 200);
  CHECK(from({{"x-forwarded-host", "evil.example"}}, "http://evil.example") == 421);
  CHECK(from({{"x-forwarded-host", "relay.example, evil.example"}}, "http://evil.example") == 421);
  CHECK(from({{"x-forwarded-proto", "http, https"}, {"x-forwarded-host", "relay.example"}}, "https://relay.example") ==
        200);
  options.trusted_proxies = {"10.0.0.1"};  // now it is anybody's word
  CHECK(from(both, "https://relay.example") == 403);
  CHECK(from(both, "http://127.0.0.1:8080") == 200);
  // A forged X-Forwarded-Host that a proxy passes on does not hide the name in Host.
  options.trusted_proxies = {"127.0.0.1"};
  CHECK(status(asked("GET", {{"host", "evil.example"}, {"x-forwarded-host", "relay.example"}}), on_loopback, options) ==
        421);
}

TEST_CASE("cross-site requests", "[access]") {
  const ServerOptions options = public_relay();
  struct Row {
    const char *origin, *site;  // "-": none
    int unsafe, upgrade;
  };
  // A loopback listener behind a proxy that passes the public name on.
  for (const Row& row : {Row{"-", "-", 200, 200},
                         {"https://relay.example", "same-origin", 200, 200},
                         {"https://relay.example", "-", 200, 200},
                         {"null", "same-origin", 200, 403},
                         {"-", "same-origin", 200, 200},
                         {"https://evil.example", "cross-site", 403, 403},
                         {"https://evil.example", "-", 403, 403},
                         {"null", "-", 403, 403},
                         {"null", "cross-site", 403, 403},
                         {"-", "cross-site", 403, 200},
                         {"-", "same-site", 403, 200},
                         {"-", "none", 403, 200},
                         {"https://app.example", "cross-site", 200, 200},
                         {"http://app.example", "cross-site", 403, 403},
                         {"http://relay.example:80", "-", 200, 200},  // as the connection is: scheme and Host
                         {"https://relay.example:444", "-", 403, 403},
                         {"http://localhost:8080", "cross-site", 403, 403},
                         {"evil://relay.example", "-", 403, 403},
                         {"", "-", 403, 403}}) {
    INFO(row.origin << " " << row.site);
    Headers headers = {{"host", "relay.example"}};
    if (std::string(row.origin) != "-") headers.emplace_back("origin", row.origin);
    if (std::string(row.site) != "-") headers.emplace_back("sec-fetch-site", row.site);
    for (const char* method : {"POST", "DELETE", "PUT", "PATCH", "BREW"}) {
      CHECK(status(asked(method, headers), on_loopback, options) == row.unsafe);
    }
    for (const char* method : {"GET", "HEAD", "OPTIONS"})
      CHECK(status(asked(method, headers), on_loopback, options) == 200);
    headers.emplace_back("upgrade", "h2c, WebSocket");
    CHECK(status(asked("GET", headers), on_loopback, options) == row.upgrade);
  }
}

TEST_CASE("on loopback every port is the relay's own, no other scheme is", "[access]") {
  const ServerOptions options;
  auto from = [&](const std::string& origin, const Arrival& arrival, const std::string& host = "127.0.0.1:8080") {
    return status(asked("GET", {{"host", host}, {"origin", origin}, {"upgrade", "websocket"}}), arrival, options);
  };
  for (const char* own : {"http://127.0.0.1:8080", "http://127.0.0.1", "http://localhost:5173", "http://[::1]:1"}) {
    INFO(own);
    CHECK(from(own, on_loopback) == 200);
  }
  for (const char* foreign : {"https://127.0.0.1:8080", "chrome-extension://127.0.0.1:8080", "evil://127.0.0.1:8080",
                              "http://127.0.0.1.evil.example:8080", "null", "http://evil.example"}) {
    INFO(foreign);
    CHECK(from(foreign, on_loopback) == 403);
  }
  const Arrival tls = {"127.0.0.1", true, true};
  CHECK(from("https://localhost:8080", tls) == 200);
  CHECK(from("http://localhost:8080", tls) == 403);
  CHECK(from("http://localhost:8080", from_afar, "localhost:8080") == 200);  // published by Docker
  CHECK(from("http://localhost:5173", from_afar, "localhost:8080") == 403);
}

TEST_CASE("a 403 says which keys and values let the page in", "[access]") {
  auto body = [](const std::string& origin, const ServerOptions& options = {}) {
    return detail(asked("POST", {{"host", "localhost"}, {"origin", origin}}), on_loopback, options);
  };
  const auto named = body("https://app.example");
  INFO(named);
  CHECK(named.find("\"code\":\"cross_site\"") != std::string::npos);
  CHECK(named.find(R"(public_origins = [\"https://app.example\"])") != std::string::npos);
  CHECK(named.find(R"(cors_origins = [\"https://app.example\"])") != std::string::npos);
  CHECK(body("null").find(R"(cors_origins = [\"*\"])") != std::string::npos);
  ServerOptions any;
  any.cors_origins = {"*"};
  CHECK(body("null", any).empty());
  CHECK(body(std::string(5000, 'x')).size() < 1000);
}
