// The drop-in surfaces over the wire: what their clients see while nothing happens, and the heads they get.
#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"

using namespace tokenrelay::support;

namespace {

struct Surface {
  std::string name, target, body, heartbeat;
};

const std::vector<Surface> surfaces = {
    {"chat", "/v1/chat/completions", R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]})",
     ": hb\n"},
    {"responses", "/v1/responses", R"({"model":"m","stream":true,"input":"hi"})", ": hb\n"},
    {"messages", "/v1/messages",
     R"({"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"hi"}]})",
     "event: ping\ndata: {\"type\":\"ping\"}\n\n"},
    {"gemini", "/v1beta/models/m:streamGenerateContent?alt=sse",
     R"({"contents":[{"role":"user","parts":[{"text":"hi"}]}]})", "\n\n"},
    {"ui", "/api/chat",
     R"({"id":"chat-1","model":"m","messages":[{"id":"1","role":"user","parts":[{"type":"text","text":"hi"}]}]})",
     ": hb\n"},
};

Request request_of(const Surface& surface) {
  return {"POST", surface.target, {{"Content-Type", "application/json"}}, surface.body};
}

// The bytes before the first event, or all if there is none.
std::string before_events(const std::string& body) {
  const auto first = std::min({body.find("data: {"), body.find("event: "), body.size()});
  return body.substr(0, first);
}

std::string repeated(const std::string& text, size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  return out;
}

}  // namespace

TEST_CASE("a surface's stream says nothing before it is due, and then what its clients ignore", "[surfaces]") {
  ModelServer model([](ModelServer::Call& call) {
    call.head();
    if (!call.wait_released()) return;
    call.text("x");
    if (call.wait_released()) call.finish();
  });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nheartbeat_ms = 400\n"});
  for (const Surface& surface : surfaces) {
    INFO(surface.name);
    HttpConnection connection(relay.port());
    connection.send(request_of(surface));
    const auto head = connection.read_head();
    REQUIRE(head);
    CHECK(head->status == 200);
    CHECK(head->get("Content-Type") == "text/event-stream; charset=utf-8");
    std::string body;
    const auto from = Clock::now();
    while (ms_since(from) < 300) connection.read_some(body, 50ms);
    CHECK(before_events(body).empty());
    CHECK(body.find(": hb") == std::string::npos);
    CHECK(body.find("ping") == std::string::npos);
    const size_t quiet = body.size();
    while (ms_since(from) < 1000) connection.read_some(body, 50ms);
    const std::string beats = body.substr(quiet);
    CHECK_FALSE(beats.empty());
    CHECK(beats == repeated(surface.heartbeat, beats.size()));
    model.release();  // the text
    while (body.find("\"x\"") == std::string::npos) REQUIRE(connection.read_some(body, 5s) == BodyEnd::open);
    model.release();  // the end
    body += connection.read_body();
    CHECK(connection.end() == BodyEnd::clean);
  }
}

TEST_CASE("an error event of Chat Completions has a block to itself, without an id", "[surfaces]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    call.send("data: {\"error\":{\"message\":\"out of luck\",\"type\":\"server_error\",\"code\":null}}\n\n");
    call.end();
  });
  Relay relay({.upstream = model.upstream()});
  const auto answer = fetch(relay.port(), request_of(surfaces.front()));
  const auto error = answer.body.find("data: {\"error\"");
  REQUIRE(error != std::string::npos);
  const std::string block = answer.body.substr(error);
  CHECK(block.find("out of luck") != std::string::npos);
  CHECK(block.find('\n') == block.size() - 2);  // one line, then the blank one, and nothing after it
  CHECK(answer.body.find("\nid: ") < error);    // the chunks before it have theirs
  CHECK(answer.end == BodyEnd::clean);
}

TEST_CASE("no line of an answer can be split by Unicode's line breaks", "[surfaces]") {
  const std::string breaks =
      "a\xC2\x85"
      "b\xE2\x80\xA8"
      "c\xE2\x80\xA9"
      "d";
  ModelServer model([&](ModelServer::Call& call) {
    const Json function = {{"name", "f"}, {"arguments", Json{{"x", breaks}}.dump()}};
    call.chunk({{"reasoning_content", breaks}});
    call.text(breaks);
    call.chunk({{"tool_calls", {{{"index", 0}, {"id", breaks}, {"type", "function"}, {"function", function}}}}});
    call.finish("tool_calls");
  });
  Relay relay({.upstream = model.upstream()});
  const auto check = [&](const std::string& body) {
    CHECK(body.find("\\u0085") != std::string::npos);
    for (const std::string part : {"\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"})
      CHECK(body.find(part) == std::string::npos);
  };
  for (Surface surface : surfaces) {
    INFO(surface.name);
    const auto streamed = fetch(relay.port(), request_of(surface));
    CHECK(streamed.status == 200);
    check(streamed.body);
    const std::string id = streamed.head.get("Stream-Id").value_or("");
    check(fetch(relay.port(), events_request(id)).body);
    check(relay.get("/v1/streams/" + id).body);
    const auto mark = surface.body.find("\"stream\":true");
    if (mark == std::string::npos) continue;
    surface.body.replace(mark, 13, "\"stream\":false");
    check(fetch(relay.port(), request_of(surface)).body);
  }
}

TEST_CASE("an error below a surface's path has its protocol's shape, whatever is wrong with the path or method",
          "[surfaces]") {
  Relay relay;
  const auto check = [&](const Request& request, int status, const std::string& shape) {
    INFO(request.method << " " << request.target);
    const auto answer = fetch(relay.port(), request);
    CHECK(answer.status == status);
    CHECK(answer.head.get("Content-Type") == (shape == "problem" ? "application/problem+json" : "application/json"));
    const Json body = answer.json();
    if (shape == "problem") {
      CHECK(body.at("code").is_string());
      return;
    }
    CHECK(body.at("error").at("message").is_string());
    if (shape == "gemini") CHECK(body.at("error").at("code") == status);
    if (shape == "openai") CHECK(body.at("error").at("param").is_null());
    if (shape == "anthropic") CHECK(body.at("type") == "error");
    if (status == 405) CHECK_FALSE(answer.head.get("Allow").value_or("").empty());
  };
  check({"GET", "/v1/chat/completions"}, 405, "openai");
  check({"GET", "/v1/chat/completions/x/messages"}, 404, "openai");
  check({"DELETE", "/v1/models"}, 405, "openai");
  check({"POST", "/v1/embeddings", {}, "{}"}, 404, "openai");
  check({"GET", "/v1/responses"}, 405, "openai");
  check({"PUT", "/v1/responses/resp_1"}, 405, "openai");
  check({"GET", "/v1/responses/resp_1/x/y"}, 404, "openai");
  check({"GET", "/v1/responses", {{"Connection", "Upgrade"}, {"Upgrade", "websocket"}}}, 426, "openai");
  check({"GET", "/v1/messages"}, 405, "anthropic");
  check({"POST", "/v1/messages/count_tokens", {}, "{}"}, 404, "anthropic");
  check({"GET", "/v1/files", {{"anthropic-version", "2023-06-01"}}}, 404, "anthropic");
  check({"GET", "/v1beta/cachedContents"}, 404, "gemini");
  check({"GET", "/v1beta/models/m:generateContent"}, 405, "gemini");
  check({"POST", "/v1/models/m:countTokens", {}, "{}"}, 405, "gemini");
  check({"GET", "/v1/streamz"}, 404, "problem");
}

TEST_CASE("a cursor alone streams; with stream=false it does not", "[surfaces]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("one"), call.text("two");
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const auto made = relay.post("/v1/responses", {{"model", "m"}, {"input", "hi"}});
  const std::string path = "/v1/responses/" + made.json().at("id").get<std::string>();
  const auto all = relay.get(path + "?stream=true");
  CHECK(all.head.get("Content-Type") == "text/event-stream; charset=utf-8");
  const auto after = relay.get(path + "?starting_after=3");
  CHECK(after.head.get("Content-Type") == "text/event-stream; charset=utf-8");
  CHECK(after.body.find("\"sequence_number\":4,") != std::string::npos);
  CHECK(after.body.find("\"sequence_number\":3,") == std::string::npos);
  CHECK(relay.get(path + "?starting_after=&stream=").json().at("object") == "response");
  CHECK(relay.get(path + "?starting_after=3&stream=false").json().at("object") == "response");
  CHECK(made.json().at("usage").at("input_tokens_details").at("cache_write_tokens") == 0);
}

TEST_CASE("what a surface does when its client leaves is its own, and the header overrides it", "[surfaces]") {
  ModelServer model([](ModelServer::Call& call) { call.text("x"), call.wait_closed(60s); });
  Relay relay(
      {.upstream = model.upstream(), .config = "[surfaces]\nresponses_on_disconnect = \"cancel_after_ms=700\"\n"});
  const auto leave = [&](const Surface& surface, const Fields& more = {}) {
    INFO(surface.name);
    Request request = request_of(surface);
    for (const auto& field : more) request.fields.push_back(field);
    HttpConnection connection(relay.port());
    connection.send(request);
    const auto head = connection.read_head();
    REQUIRE(head);
    std::string body;
    while (body.find("\"x\"") == std::string::npos) REQUIRE(connection.read_some(body, 5s) == BodyEnd::open);
    return head->get("Stream-Id").value_or("");
  };
  const auto left = Clock::now();
  std::map<std::string, std::string> ids;
  for (const Surface& surface : surfaces) ids[surface.name] = leave(surface);
  const std::string kept = leave(surfaces[0], {{"On-Disconnect", "continue"}});
  Surface in_background = surfaces[1];
  in_background.body.insert(1, "\"background\":true,");
  const std::string background = leave(in_background);
  for (const char* name : {"chat", "messages", "gemini"}) CHECK(relay.wait_status(ids[name], "cancelled", 5s));
  CHECK(relay.wait_status(ids["responses"], "cancelled", 5s));
  CHECK(ms_since(left) >= 700);
  for (const std::string& id : {ids["ui"], kept, background}) CHECK(relay.state(id).at("status") == "streaming");
}

TEST_CASE("a POST that an SDK repeats joins the answer that still runs", "[surfaces]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    if (call.wait_released()) call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const auto ask = [&](const Surface& surface, const std::string& retries) {
    Request request = request_of(surface);
    if (!retries.empty()) request.fields.emplace_back("X-Stainless-Retry-Count", retries);
    auto connection = std::make_unique<HttpConnection>(relay.port());
    connection->send(request);
    const auto head = connection->read_head();
    REQUIRE(head);
    return std::pair(head->get("Stream-Id").value_or(""), std::move(connection));
  };
  const Surface& responses = surfaces[1];
  const auto first = ask(responses, "0");
  const auto second = ask(responses, "1"), third = ask(responses, "2");
  CHECK(second.first == first.first);
  CHECK(third.first == first.first);
  CHECK(model.calls() == 1);
  Surface other = responses;
  other.body.insert(1, " ");
  CHECK(ask(other, "1").first != first.first);        // another body
  CHECK(ask(responses, "").first != first.first);     // no SDK: as often as it is asked
  CHECK(ask(surfaces[0], "1").first != first.first);  // nothing to join
  const auto again = ask(responses, "0");             // a new request of the same words
  CHECK(again.first != first.first);
  for (int i = 0; i < 8; ++i) model.release();
  std::string body = second.second->read_body();
  CHECK(body.find("response.created") != std::string::npos);  // from its beginning
  CHECK(body.find("response.completed") != std::string::npos);
  REQUIRE(relay.wait_status(again.first, "completed", 5s));
  CHECK(ask(responses, "1").first != again.first);  // what has ended is not joined
}

namespace {

// Answers GET …/models with `list`, and anything else with a word.
ModelServer::Answer with_models(const std::string& list) {
  return [list](ModelServer::Call& call) {
    if (call.seen().head.starts_with("GET ")) return call.refuse(list.empty() ? 404 : 200, list.empty() ? "{}" : list);
    call.text("x");
    call.finish();
  };
}

std::vector<std::string> ids_in(const Json& list, const char* array = "data", const char* name = "id") {
  std::vector<std::string> ids;
  for (const auto& model : list.at(array)) ids.push_back(model.at(name));
  return ids;
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE("the list of models is the upstream's own, in each protocol's words", "[surfaces]") {
  ModelServer model(with_models(R"({"object":"list","data":[{"id":"llama"},{"id":"qwen","object":"model"}]})"));
  Relay relay({.upstream = model.upstream(), .env = {{"TOKENRELAY_DEFAULT_MODEL", ""}}});
  const Json list = relay.get("/v1/models").json();
  CHECK(ids_in(list) == Ids{"llama", "qwen"});
  CHECK(list.at("object") == "list");
  CHECK(list.at("data").at(0).at("lifecycle") == "active");
  CHECK(list.at("last_id") == "qwen");
  CHECK(ids_in(relay.get("/v1beta/models").json(), "models", "name") == Ids{"models/llama", "models/qwen"});
  CHECK(relay.get("/v1beta/models/llama").json().at("displayName") == "llama");
  CHECK(model.calls() == 1);  // asked once, then kept
  CHECK(model.call(0).head.find("/v1/models HTTP/1.1") != std::string::npos);

  const auto none = relay.post("/v1/streams", {{"prompt", "x"}});
  CHECK(none.status == 400);
  CHECK(none.json().at("detail").get<std::string>().find("llama, qwen") != std::string::npos);
  const auto chat = relay.post("/v1/chat/completions", {{"messages", {{{"role", "user"}, {"content", "x"}}}}});
  CHECK(chat.status == 400);
  CHECK(chat.json().at("error").at("param") == "model");
}

TEST_CASE("a request without a model takes the only one that there is", "[surfaces]") {
  ModelServer model(with_models(R"([{"id":"only"}])"));
  Relay relay({.upstream = model.upstream(), .env = {{"TOKENRELAY_DEFAULT_MODEL", ""}}});
  const std::string id = relay.create();
  REQUIRE(relay.wait_status(id, "completed"));
  CHECK(relay.state(id).at("model") == "only");
  CHECK(model.call(1).request.at("model") == "only");
}

TEST_CASE("an upstream without a list has the models that are configured", "[surfaces]") {
  ModelServer model(with_models(""));
  SECTION("none") {
    Relay relay({.upstream = model.upstream(), .env = {{"TOKENRELAY_DEFAULT_MODEL", ""}}});
    CHECK(ids_in(relay.get("/v1/models").json()).empty());
    const auto none = relay.post("/v1/streams", {{"prompt", "x"}});
    CHECK(none.status == 400);
    CHECK(none.json().at("detail").get<std::string>().find("default_model") != std::string::npos);
    CHECK(relay.post("/v1/streams", {{"prompt", "x"}, {"model", "any"}}).status == 201);
  }
  SECTION("a name beside a glob") {
    Relay relay({.config = "[[upstream]]\nkind = \"openai\"\nbase_url = \"" + model.base_url() +
                           "\"\nmodels = [\"gpt-5\", \"o*\"]\n"});
    CHECK(ids_in(relay.get("/v1/models").json()) == Ids{"gpt-5"});
  }
}

TEST_CASE("globs choose from what an upstream lists; an upstream that hangs costs seconds, not for ever",
          "[surfaces]") {
  ModelServer openai(with_models(R"({"data":[{"id":"o3"},{"id":"gpt-5"},{"id":"whisper"}]})"));
  ModelServer hangs;
  const auto upstream = [](const std::string& kind, const std::string& name, const std::string& url,
                           const std::string& models) {
    return "[[upstream]]\nkind = \"" + kind + "\"\nname = \"" + name + "\"\nbase_url = \"" + url + "\"\nmodels = [" +
           models + "]\n";
  };
  Relay relay(
      {.config = upstream("openai", "a", openai.base_url(), "\"gpt-4\", \"gpt-*\", \"o3\"") +
                 upstream("anthropic", "b", "http://127.0.0.1:" + std::to_string(hangs.port()), "\"claude-*\"")});
  const auto from = Clock::now();
  CHECK(ids_in(relay.get("/v1/models").json()) == Ids{"gpt-4", "o3", "gpt-5"});
  CHECK(ms_since(from) < 8000);
  CHECK(relay.get("/healthz").status == 200);
  CHECK(hangs.call(0).head.starts_with("GET /v1/models?limit=1000 "));
}
