// Browsers: CORS, preflights, foreign hosts.
#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"

using namespace tokenrelay::support;

namespace {
using Strings = std::vector<std::string>;

bool lists(const Response& answer, const std::string& field, std::string name) {
  auto lower = [](std::string s) {
    std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return std::tolower(c); });
    return s;
  };
  return lower(answer.head.get(field).value_or("")).find(lower(std::move(name))) != std::string::npos;
}

Response preflight(Relay& relay, const std::string& target, const std::string& origin, const std::string& method) {
  return fetch(relay.port(), {.method = "OPTIONS",
                              .target = target,
                              .fields = {{"Origin", origin},
                                         {"Access-Control-Request-Method", method},
                                         {"Access-Control-Request-Headers", "content-type,last-event-id,x-custom"}}});
}
}  // namespace

TEST_CASE("without cors_origins no origin is allowed", "[browsers]") {
  Relay relay;
  const auto answer = relay.get("/v1/streams", {{"Origin", "https://app.example"}});
  CHECK(answer.head.count("Access-Control-Allow-Origin") == 0);
  CHECK(preflight(relay, "/v1/streams", "https://app.example", "POST").head.count("Access-Control-Allow-Origin") == 0);
}

TEST_CASE("an allowed origin, on every kind of answer", "[browsers]") {
  Relay relay({.config = "cors_origins = [\"https://app.example\", \"http://localhost:5173\"]\n"});
  const std::string id = relay.create();
  const Fields origin = {{"Origin", "https://app.example"}};
  for (const std::string& target : Strings{"/v1/streams", "/v1/streams/" + id, "/v1/streams/none", "/nothing"}) {
    const auto answer = relay.get(target, origin);
    INFO(target);
    CHECK(answer.head.get("Access-Control-Allow-Origin") == "https://app.example");
    CHECK(lists(answer, "Vary", "Origin"));
    for (const auto* exposed : {"Location", "Stream-Id", "Request-Id", "Retry-After"}) {
      CHECK(lists(answer, "Access-Control-Expose-Headers", exposed));
    }
  }
  auto request = events_request(id);
  request.fields.emplace_back("Origin", "http://localhost:5173");
  SseConnection reader(relay.port(), request);
  REQUIRE(reader.head());
  CHECK(reader.head()->get("Access-Control-Allow-Origin") == "http://localhost:5173");
  for (const std::string& other : Strings{"https://evil.example", "https://app.example.evil", "http://app.example",
                                          "https://app.example:444", "null", "https://APP.example.", ""}) {
    INFO(other);
    CHECK(relay.get("/v1/streams", {{"Origin", other}}).head.count("Access-Control-Allow-Origin") == 0);
  }
}

TEST_CASE("preflights echo what was asked and allow Last-Event-ID", "[browsers]") {
  Relay relay({.config = "cors_origins = [\"https://app.example\"]\n"});
  for (const auto& [target, method] : std::vector<std::pair<std::string, std::string>>{
           {"/v1/streams", "POST"}, {"/v1/streams/strm_x", "DELETE"}, {"/v1/streams/strm_x/events", "GET"}}) {
    const auto answer = preflight(relay, target, "https://app.example", method);
    INFO(target);
    CHECK((answer.status == 204 || answer.status == 200));
    CHECK(answer.head.get("Access-Control-Allow-Origin") == "https://app.example");
    CHECK(lists(answer, "Access-Control-Allow-Methods", method));
    for (const auto* name : {"content-type", "last-event-id", "x-custom"}) {
      CHECK(lists(answer, "Access-Control-Allow-Headers", name));
    }
  }
  const auto bare =
      fetch(relay.port(), {.method = "OPTIONS",
                           .target = "/v1/streams",
                           .fields = {{"Origin", "https://app.example"}, {"Access-Control-Request-Method", "POST"}}});
  CHECK(lists(bare, "Access-Control-Allow-Headers", "last-event-id"));
  CHECK(preflight(relay, "/v1/streams", "https://evil.example", "POST").head.count("Access-Control-Allow-Origin") == 0);
}

TEST_CASE("a star allows every origin", "[browsers]") {
  Relay relay({.config = "cors_origins = [\"*\"]\n"});
  const auto answer = relay.get("/v1/streams", {{"Origin", "https://any.example"}});
  const auto allowed = answer.head.get("Access-Control-Allow-Origin").value_or("");
  CHECK((allowed == "*" || allowed == "https://any.example"));
  CHECK_FALSE((allowed == "*" && answer.head.count("Access-Control-Allow-Credentials") > 0));
}

TEST_CASE("a foreign Host on a loopback listener is 421", "[browsers]") {
  Relay relay;
  const std::string port = std::to_string(relay.port());
  for (const std::string& host : Strings{"127.0.0.1:" + port, "localhost:" + port, "localhost", "127.0.0.1",
                                         "[::1]:" + port, "LOCALHOST:" + port}) {
    INFO(host);
    CHECK(relay.get("/healthz", {{"Host", host}}).status == 200);
  }
  for (const std::string& host : Strings{"evil.example", "evil.example:" + port, "127.0.0.1.evil.example",
                                         "localhost.evil.example:" + port, "192.168.0.1", "evil@localhost"}) {
    INFO(host);
    for (const std::string& target : Strings{"/healthz", "/", "/v1/streams", "/metrics"}) {
      const auto answer = relay.get(target, {{"Host", host}});
      CHECK((answer.status == 421 || (answer.status == 400 && host.find('@') != std::string::npos)));
      CHECK(answer.head.get("Content-Type").value_or("").starts_with("application/problem+json"));
    }
    CHECK(fetch(relay.port(), {.method = "POST",
                               .target = "/v1/streams",
                               .fields = {{"Host", host}, {"Content-Type", "application/json"}},
                               .body = R"({"prompt":"x"})"})
                  .status /
              100 ==
          4);
  }
  CHECK(relay.get("/v1/streams").json().at("streams").empty());
}

TEST_CASE("the page is served with a strict policy", "[browsers]") {
  Relay relay;
  const auto page = relay.get("/");
  CHECK(page.status == 200);
  CHECK(page.head.get("Content-Type").value_or("").starts_with("text/html"));
  const auto policy = page.head.get("Content-Security-Policy").value_or("");
  CHECK(policy.find("default-src") != std::string::npos);
  CHECK(policy.find("unsafe") == std::string::npos);
  CHECK(page.head.get("X-Content-Type-Options") == "nosniff");
}
