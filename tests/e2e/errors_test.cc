// Errors: what a POST may not say, and the shape of every refusal.
#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

Response post(Relay& relay, const std::string& body, Fields fields = {{"Content-Type", "application/json"}}) {
  return fetch(relay.port(), {.method = "POST", .target = "/v1/streams", .fields = std::move(fields), .body = body});
}

void check_problem(const Response& answer, int status, const std::string& code) {
  CHECK(answer.status == status);
  CHECK(answer.head.get("Content-Type").value_or("").starts_with("application/problem+json"));
  const Json body = answer.json();
  REQUIRE(body.is_object());
  CHECK(body.value("status", 0) == status);
  CHECK_FALSE(body.value("code", "").empty());
  if (!code.empty()) CHECK(body.value("code", "") == code);
  for (const auto* key : {"type", "title", "detail", "request_id"}) {
    INFO(key << " in " << answer.body);
    REQUIRE(body.contains(key));
    CHECK(body[key].is_string());
    CHECK_FALSE(body[key].get<std::string>().empty());
  }
  CHECK(body["request_id"] == answer.head.get("Request-Id").value_or(""));
}

}  // namespace

TEST_CASE("bodies that are refused, and what the refusal names", "[errors]") {
  ModelServer model([](ModelServer::Call& call) { call.finish(); });
  Relay relay({.upstream = model.upstream()});
  struct Case {
    std::string body, names;
  };
  const std::vector<Case> cases = {
      {"", ""},
      {"{", ""},
      {"null", ""},
      {"[]", ""},
      {"\"prompt\"", ""},
      {"{\"prompt\":\"a\"} x", ""},
      {"{\"prompt\":\"a\",}", ""},
      {"{\"prompt\":\"\xff\"}", ""},
      {"{}", "prompt"},
      {R"({"prompt":"a","messages":[{"role":"user","content":"b"}]})", "messages"},
      {R"({"prompt":5})", "prompt"},
      {R"({"prompt":null})", "prompt"},
      {R"({"prompt":"a","modell":"m"})", "modell"},
      {R"({"prompt":"a","stream":true})", "stream"},
      {R"({"prompt":"a","model":5})", "model"},
      {R"({"messages":"hi"})", "messages"},
      {R"({"messages":[]})", "messages"},
      {R"({"messages":[5]})", "messages"},
      {R"({"messages":[{"role":"user"}]})", "content"},
      {R"({"messages":[{"content":"x"}]})", "role"},
      {R"({"messages":[{"role":5,"content":"x"}]})", "role"},
      {R"({"messages":[{"role":"user","content":5}]})", "content"},
      {R"({"prompt":"a","parameters":[]})", "parameters"},
      {R"({"prompt":"a","metadata":[]})", "metadata"},
      {R"({"prompt":"a","metadata":{"k":5}})", "metadata"},
      {R"({"prompt":"a","on_disconnect":"explode"})", "on_disconnect"},
      {R"({"prompt":"a","on_disconnect":5})", "on_disconnect"},
      {R"({"prompt":"a","on_disconnect":{"cancel_after_ms":"x"}})", "on_disconnect"},
      {R"({"prompt":"a","on_disconnect":{"cancel_after_ms":-1}})", "on_disconnect"},
      {R"({"prompt":"a","on_disconnect":{"cancel_after":1}})", "on_disconnect"},
      {R"({"prompt":"a","on_disconnect":{"cancel_after_ms":1,"x":2}})", "on_disconnect"},
  };
  for (const auto& c : cases) {
    const auto answer = post(relay, c.body);
    INFO(c.body << "\n" << answer.body);
    check_problem(answer, 400, "invalid_request");
    CHECK(answer.json().value("detail", "").find(c.names) != std::string::npos);
  }
  for (const std::string& name :
       Strings{"model", "messages", "prompt", "input", "contents", "stream", "stream_options", "n", "background"}) {
    const auto answer = post(relay, R"({"prompt":"a","parameters":{")" + name + R"(":1}})");
    INFO(name << "\n" << answer.body);
    check_problem(answer, 400, "invalid_request");
    CHECK(answer.json().value("detail", "").find(name) != std::string::npos);
  }
  CHECK(model.calls() == 0);
  CHECK(relay.get("/v1/streams").json().at("streams").empty());
}

TEST_CASE("deep and long JSON is a 400, and nothing else is disturbed", "[errors]") {
  ModelServer model([](ModelServer::Call& call) { call.finish(); });
  Relay relay({.upstream = model.upstream()});
  auto nested = [](size_t depth, const std::string& open, const std::string& shut) {
    std::string out;
    for (size_t i = 0; i < depth; ++i) out += open;
    for (size_t i = 0; i < depth; ++i) out += shut;
    return out;
  };
  CHECK(post(relay, std::string(200'000, '[')).status == 400);
  CHECK(post(relay, std::string(200'000, '{')).status == 400);
  CHECK(post(relay, nested(100'000, "[", "]")).status == 400);
  CHECK(post(relay, R"({"prompt":"a","parameters":{"x":)" + nested(100'000, "[", "]") + "}}").status == 400);
  CHECK(post(relay, R"({"prompt":"a","parameters":{"x":)" + nested(63, "[", "]") + "}}").status == 400);  // 65 deep
  CHECK(post(relay, R"({"prompt":"a","parameters":{"x":)" + nested(62, "[", "]") + "}}").status == 201);  // 64
  CHECK(post(relay, R"({"prompt":"a","parameters":{"x":)" + nested(20'000, "{\"a\":", "}") + "}}").status == 400);
  CHECK(post(relay, R"({"prompt":"\ud83d"})").status / 100 != 5);  // a lone surrogate
  CHECK(post(relay, R"({"prompt":"a","parameters":{"x":1e999999}})").status / 100 != 5);
  CHECK(relay.get("/healthz").status == 200);
}

TEST_CASE("content types", "[errors]") {
  ModelServer model([](ModelServer::Call& call) { call.finish(); });
  Relay relay({.upstream = model.upstream()});
  const std::string body = R"({"prompt":"a"})";
  CHECK(post(relay, body, {{"Content-Type", "application/json; charset=utf-8"}}).status == 201);
  CHECK(post(relay, body, {{"Content-Type", "Application/JSON"}}).status == 201);
  for (const std::string& type :
       Strings{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
               "application/jsonx", "application/json-patch+json"}) {
    INFO(type);
    const auto answer = post(relay, body, {{"Content-Type", type}});
    CHECK(answer.status == 415);
    CHECK(answer.head.get("Content-Type").value_or("").starts_with("application/problem+json"));
  }
  CHECK(post(relay, body, {}).status == 415);
  CHECK(
      post(relay, "\x1f\x8b\x08 not read as JSON", {{"Content-Type", "application/json"}, {"Content-Encoding", "gzip"}})
              .status /
          100 ==
      4);
}

TEST_CASE("models", "[errors]") {
  ModelServer model([](ModelServer::Call& call) { call.finish(); });
  SECTION("a single upstream takes every name as it comes") {
    Relay relay({.upstream = model.upstream()});
    relay.create({{"prompt", "a"}, {"model", "any/thing:7b"}});
    REQUIRE(model.wait_calls(1));
    CHECK(model.call(0).request.at("model") == "any/thing:7b");
  }
  SECTION("several are chosen by model, and an unknown one is 404") {
    Relay relay({.config = "[[upstream]]\nkind = \"openai\"\nbase_url = \"" + model.base_url() +
                           "\"\nmodels = [\"gpt-*\"]\n[[upstream]]\nkind = \"demo\"\nmodels = [\"demo\"]\n"});
    CHECK(post(relay, R"({"prompt":"a","model":"gpt-7"})").status == 201);
    REQUIRE(model.wait_calls(1));
    CHECK(post(relay, R"({"prompt":"a","model":"demo"})").status == 201);
    check_problem(post(relay, R"({"prompt":"a","model":"llama"})"), 404, "unknown_model");
    CHECK(model.calls() == 1);
  }
}

TEST_CASE("methods and paths", "[errors]") {
  Relay relay;
  const std::string id = relay.create();
  auto ask = [&](const std::string& method, const std::string& target) {
    return fetch(relay.port(), {.method = method, .target = target});
  };
  struct Case {
    std::string method, target;
    Strings allow;
  };
  for (const auto& c : std::vector<Case>{{"PUT", "/v1/streams", {"GET", "POST"}},
                                         {"DELETE", "/v1/streams", {"GET", "POST"}},
                                         {"POST", "/v1/streams/" + id, {"GET", "DELETE"}},
                                         {"POST", "/v1/streams/" + id + "/events", {"GET"}},
                                         {"PATCH", "/v1/streams/" + id + "/events", {"GET"}},
                                         {"POST", "/healthz", {"GET"}},
                                         {"POST", "/metrics", {"GET"}}}) {
    const auto answer = ask(c.method, c.target);
    INFO(c.method << " " << c.target << " " << answer.body);
    CHECK(answer.status == 405);
    const auto allow = answer.head.get("Allow").value_or("");
    for (const auto& m : c.allow) CHECK(allow.find(m) != std::string::npos);
    CHECK(allow.find(c.method) == std::string::npos);
    CHECK(answer.json().value("status", 0) == 405);
  }
  for (const std::string& target :
       Strings{"/nothing", "/v1", "/v1/streams/", "/v1/streams/" + id + "/nothing", "/V1/streams"}) {
    const auto answer = ask("GET", target);
    INFO(target << " " << answer.body);
    CHECK(answer.status == 404);
    CHECK(answer.head.get("Content-Type").value_or("").starts_with("application/problem+json"));
    CHECK(answer.head.get("Request-Id"));
  }
}

TEST_CASE("sizes", "[errors]") {
  ModelServer model([](ModelServer::Call& call) { call.finish(); });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nbody_bytes = 100000\n"});
  auto get = [&](const std::string& target, Fields fields = {}) { return relay.get(target, std::move(fields)); };
  CHECK(post(relay, R"({"prompt":")" + std::string(99'000, 'a') + "\"}").status == 201);
  check_problem(post(relay, R"({"prompt":")" + std::string(100'000, 'a') + "\"}"), 413, "");
  check_problem(get("/v1/streams/" + std::string(1100, 'a')), 414, "");
  check_problem(get("/healthz", {{"X-Long", std::string(8200, 'a')}}), 431, "");
  Fields many;
  for (int i = 0; i < 5; ++i) many.emplace_back("X-" + std::to_string(i), std::string(4000, 'a'));
  CHECK(get("/healthz", many).status == 431);
  many.clear();
  for (int i = 0; i < 100; ++i) many.emplace_back("X-" + std::to_string(i), "a");
  CHECK(get("/healthz", many).status == 431);
  CHECK(get("/healthz", {{"X-Long", std::string(7000, 'a')}}).status == 200);
  const std::string chunk(50'000, ' ');
  std::string chunked;
  for (int i = 0; i < 3; ++i) chunked += "c350\r\n" + chunk + "\r\n";
  const auto answer =
      fetch(relay.port(), {.method = "POST",
                           .target = "/v1/streams",
                           .fields = {{"Content-Type", "application/json"}, {"Transfer-Encoding", "chunked"}},
                           .body = chunked + "0\r\n\r\n"});
  CHECK(answer.status == 413);
}

TEST_CASE("an upstream that echoes the request tells the client no secret", "[errors]") {
  const std::string key = "sk-canary-0123456789";
  ModelServer model([&](ModelServer::Call& call) {
    const Json echo = {{"error", {{"message", call.seen().head + " basic c2stY2FuYXJ5LTAxMjM0NTY3ODk= key=" + key}}}};
    call.refuse(400, echo.dump());
  });
  Relay relay({.config = "[[upstream]]\nkind = \"openai\"\nbase_url = \"" + model.base_url() +
                         "\"\nheaders = { \"X-Team\" = \"canaryteamvalue\" }\n",
               .env = {{"OPENAI_API_KEY", key}}});
  const std::string id = relay.create();
  REQUIRE(relay.wait_status(id, "failed"));
  const auto state = relay.get("/v1/streams/" + id).body;
  INFO(state);
  CHECK(model.call(0).head.find("canaryteamvalue") != std::string::npos);  // it was sent
  for (const std::string& secret : {key, std::string("canary"), std::string("c2stY2Fu"), std::to_string(model.port()),
                                    std::string("/v1/chat/completions")}) {
    CHECK(state.find(secret) == std::string::npos);
    CHECK(relay.log().find(secret) == std::string::npos);
  }
  CHECK(state.find("***") != std::string::npos);
}
