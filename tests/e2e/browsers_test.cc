// Browsers: CORS, preflights, foreign hosts.
#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"
#include "tests/support/ws_client.h"

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
    CHECK(relay.get("/v1/streams", {{"Host", host}}).status == 200);
  }
  for (const std::string& host : Strings{"evil.example", "evil.example:" + port, "127.0.0.1.evil.example",
                                         "localhost.evil.example:" + port, "192.168.0.1", "evil@localhost"}) {
    INFO(host);
    if (host.find('@') == std::string::npos) CHECK(relay.get("/healthz", {{"Host", host}}).status == 200);
    for (const std::string& target : Strings{"/", "/v1/streams", "/metrics"}) {
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

TEST_CASE("a malformed Host is 400, and a 421 names the key and the value", "[browsers]") {
  Relay relay;
  for (const std::string& host : Strings{"localhost:80:evil", "[::1]:evil.com", "[::1]x", "localhost:99999"}) {
    INFO(host);
    CHECK(relay.get("/v1/streams", {{"Host", host}}).status == 400);
  }
  const auto refused = relay.get("/v1/streams", {{"Host", "relay.example:8080"}});
  CHECK(refused.status == 421);
  CHECK(refused.json().at("detail").get<std::string>().find("hosts = [\"relay.example\"]") != std::string::npos);
}

TEST_CASE("another site's page cancels, stops and opens nothing", "[browsers]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one ");
    if (call.wait_released()) call.finish();
  });
  Relay relay({.upstream = model.upstream(), .config = "cors_origins = [\"https://app.example\"]\n"});
  const std::string id = relay.create();
  const std::string port = std::to_string(relay.port());
  const std::string own = "http://127.0.0.1:" + port;
  auto post = [&](const std::string& target, Fields fields) {
    return fetch(relay.port(), {.method = "POST", .target = target, .fields = std::move(fields)});
  };
  const std::vector<Fields> foreign = {{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}},
                                       {{"Origin", "https://evil.example"}},
                                       {{"Origin", "null"}},
                                       {{"Origin", "https://127.0.0.1:" + port}},
                                       {{"Origin", "evil://127.0.0.1:" + port}},
                                       {{"Sec-Fetch-Site", "cross-site"}},
                                       {{"Sec-Fetch-Site", "same-site"}},
                                       {{"Sec-Fetch-Site", "none"}}};
  for (const auto& fields : foreign) {
    INFO(fields[0].first << ": " << fields[0].second);
    for (const auto& target : Strings{"/v1/streams/" + id + "/cancel", "/api/chat/guess-1/stop",
                                      "/v1/streams/" + id + "/steer", "/v1/streams", "/v1/streams/strm_never/cancel"}) {
      const auto refused = post(target, fields);
      CHECK(refused.status == 403);
      CHECK(refused.body.find(target.starts_with("/api/chat") ? "cors_origins" : "cross_site") != std::string::npos);
    }
    CHECK(fetch(relay.port(), {.method = "DELETE", .target = "/v1/streams/" + id, .fields = fields}).status == 403);
    CHECK(relay.get("/v1/streams/" + id, fields).status == 200);  // reading is CORS's to forbid
    if (fields[0].first != "Origin") continue;
    for (const auto& target : Strings{"/v1/streams/" + id + "/ws", "/v1/streams/strm_never/ws"}) {
      WsClient socket(relay.port(), target, fields);
      CHECK(socket.status() == 403);
      CHECK(socket.refusal().json().at("code") == "cross_site");
    }
  }
  CHECK(relay.state(id).at("status") == "streaming");
  CHECK(post("/v1/streams/" + id + "/cancel", {{"Origin", own}, {"Origin", "https://evil.example"}}).status == 400);
  CHECK(WsClient(relay.port(), "/v1/streams/" + id + "/ws", {{"Origin", own}, {"Origin", own}}).status() == 400);
  CHECK(relay.state(id).at("status") == "streaming");
  // In the shape of its surface.
  const auto shaped = relay.post("/v1/chat/completions", Json::object(), {{"Origin", "https://evil.example"}});
  CHECK(shaped.status == 403);
  CHECK(shaped.json().at("error").at("code") == "cross_site");

  CHECK(WsClient(relay.port(), "/v1/streams/" + id + "/ws", {{"Origin", "http://localhost:5173"}}).status() == 101);
  CHECK(WsClient(relay.port(), "/v1/streams/" + id + "/ws", {{"Origin", "https://app.example"}}).status() == 101);
  const std::vector<Fields> friends = {{{"Origin", "null"}, {"Sec-Fetch-Site", "same-origin"}},
                                       {{"Origin", own}, {"Sec-Fetch-Site", "same-origin"}},
                                       {{"Origin", "http://localhost:5173"}, {"Sec-Fetch-Site", "same-site"}},
                                       {{"Origin", "https://app.example"}, {"Sec-Fetch-Site", "cross-site"}},
                                       {}};
  for (const auto& fields : friends) CHECK(post("/v1/streams/" + id + "/cancel", fields).status == 200);
}

TEST_CASE("hosts and public_origins, behind a proxy that says what the browser sees", "[browsers]") {
  Relay relay({.config = "hosts = [\"relay.example\"]\npublic_origins = [\"https://other.example:444\"]\n"
                         "trusted_proxies = [\"127.0.0.1\"]\n"});
  const std::string id = relay.create();
  auto ws = [&](Fields fields) {
    return WsClient(relay.port(), "/v1/streams/" + id + "/ws", std::move(fields)).status();
  };
  const Fields proxied = {{"Host", "relay.example"}, {"X-Forwarded-Proto", "https"}};
  auto with = [&](const std::string& origin) {
    Fields fields = proxied;
    fields.emplace_back("Origin", origin);
    return fields;
  };
  CHECK(relay.get("/v1/streams", proxied).status == 200);
  CHECK(ws(with("https://relay.example")) == 101);
  CHECK(ws(with("https://other.example:444")) == 101);
  for (const auto* wrong : {"http://relay.example", "https://relay.example:444", "https://other.example",
                            "http://127.0.0.1:8080", "http://localhost"}) {
    INFO(wrong);
    CHECK(ws(with(wrong)) == 403);
  }
  const Fields hidden = {
      {"X-Forwarded-Proto", "https"}, {"X-Forwarded-Host", "relay.example"}, {"Origin", "https://relay.example"}};
  CHECK(ws(hidden) == 101);
  CHECK(relay.get("/v1/streams", {{"X-Forwarded-Host", "evil.example"}}).status == 421);
  CHECK(relay.get("/v1/streams", {{"Host", "evil.example"}, {"X-Forwarded-Host", "relay.example"}}).status == 421);
}

TEST_CASE("every answer that is no page may only be read", "[browsers]") {
  Relay relay;
  const std::string id = relay.create();
  for (const auto* target : {"/v1/streams", "/v1/streams/none", "/metrics", "/healthz", "/nothing", "/v1/models"}) {
    INFO(target);
    const auto answer = relay.get(target);
    CHECK(answer.head.get("X-Content-Type-Options") == "nosniff");
    CHECK(answer.head.get("Cross-Origin-Resource-Policy") == "same-origin");
    CHECK(answer.head.get("Content-Security-Policy") == "default-src 'none'; frame-ancestors 'none'");
    CHECK(answer.head.count("Content-Security-Policy") == 1);
    CHECK(answer.head.count("Strict-Transport-Security") == 0);
  }
  SseConnection reader(relay.port(), events_request(id));
  REQUIRE(reader.head());
  CHECK(reader.head()->get("X-Content-Type-Options") == "nosniff");
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
  CHECK(page.head.count("X-Content-Type-Options") == 1);
  CHECK(page.head.count("Content-Security-Policy") == 1);
}
