// Same protocol in and out: what the provider gets is what the client wrote, through steers, restarts and fallbacks.
#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

// Members that the relay does not know, and numbers that a reading into doubles would change.
const std::string odd = R"("n_odd":1.0,"big":12345678901234567890123,"nested":{"z":[1,{"y":null}],"a":""})";

std::string completion(const std::string& members = odd) {
  return R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{}}]}],)" +
         members + R"(,"stream":true})";
}

Response post(Relay& relay, const std::string& target, const std::string& body, Fields fields = {}) {
  fields.emplace_back("Content-Type", "application/json");
  return fetch(relay.port(), {"POST", target, fields, body}, 20s);
}

ModelServer::Answer says(const std::string& text) {
  return [text](ModelServer::Call& call) {
    call.text(text);
    call.finish();
  };
}

}  // namespace

TEST_CASE("a chat request reaches its own provider as it was written", "[own]") {
  ModelServer model(says("x"));
  Relay relay({.upstream = model.upstream()});
  const Response answer = post(relay, "/v1/chat/completions?beta=1&key=secret", completion(),
                               {{"Authorization", "Bearer the-clients"}, {"X-Codex-Turn", "7"}, {"X-Unknown", "u"}});
  REQUIRE(answer.status == 200);
  const auto seen = model.call(0);
  CHECK(seen.body == R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"hi",)"
                     R"("cache_control":{}}]}],)" +
                         odd + R"(,"stream":true,"stream_options":{"include_usage":true}})");
  CHECK(seen.head.find("POST /v1/chat/completions?beta=1 HTTP") == 0);
  CHECK(seen.head.find("x-codex-turn: 7") != std::string::npos);
  for (const char* kept : {"the-clients", "nknown", "secret"}) CHECK(seen.head.find(kept) == std::string::npos);
}

TEST_CASE("a configured header goes up beside a request's own", "[own]") {
  ModelServer model(says("x"));
  Relay relay({.config = "[[upstream]]\nkind = \"openai\"\nbase_url = \"" + model.base_url() +
                         "\"\npass_headers = [\"X-Team\"]\n"});
  REQUIRE(post(relay, "/v1/chat/completions", completion(), {{"X-Team", "chat"}}).status == 200);
  CHECK(model.call(0).head.find("x-team: chat") != std::string::npos);
}

TEST_CASE("a steer and a restart send the request as it was written, with what was said since", "[own]") {
  ModelServer model;
  const ModelServer::Answer half = [](ModelServer::Call& call) {
    call.text("so far");
    call.wait_released();
  };
  model.answer(half);
  model.answer(half);
  model.answer(says(" and on"));
  Relay relay({.upstream = model.upstream()});
  HttpConnection client(relay.port());
  client.send({"POST",
               "/v1/chat/completions",
               {{"Content-Type", "application/json"}, {"On-Disconnect", "continue"}, {"X-Codex-Turn", "7"}},
               completion()});
  const auto head = client.read_head();
  REQUIRE(head);
  const std::string id = head->get("stream-id").value_or("");
  REQUIRE(wait_until([&] { return relay.state(id).value("text", "") == "so far"; }, 10s));
  REQUIRE(relay.post("/v1/streams/" + id + "/steer", {{"content", "shorter"}}).status == 202);
  REQUIRE(model.wait_calls(2));
  const std::string added = R"(,{"role":"assistant","content":"so far"},{"role":"user","content":"shorter"}])";
  const auto steered = model.call(1);
  CHECK(steered.body.find("\"cache_control\":{}}]}" + added + "," + odd) != std::string::npos);
  CHECK(steered.head.find("x-codex-turn: 7") != std::string::npos);
}

TEST_CASE("a fallback of another kind gets a translation, one of the same kind the request itself", "[own]") {
  const ModelServer::Answer down = [](ModelServer::Call& call) { call.refuse(503, "{}"); };
  ModelServer first(down), second(down), third;
  third.answer([](ModelServer::Call& call) {
    call.head();
    call.send("data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}\n\n");
    call.end();
  });
  Relay relay(
      {.config = "[limits]\nupstream_retries = 0\n[[upstream]]\nkind = \"openai\"\nmodels = [\"m\"]\nbase_url = \"" +
                 first.base_url() +
                 "\"\nfallback = [\"same\", \"other\"]\n[[upstream]]\nname = \"same\"\nkind = \"openai\"\n"
                 "base_url = \"" +
                 second.base_url() + "\"\n[[upstream]]\nname = \"other\"\nkind = \"gemini\"\nbase_url = \"" +
                 third.base_url() + "\"\n"});
  REQUIRE(post(relay, "/v1/chat/completions", completion(R"("temperature":0.5)")).status == 200);
  REQUIRE(second.calls() > 0);
  CHECK(second.call(0).body.find("cache_control") != std::string::npos);
  REQUIRE(third.calls() == 1);
  CHECK(third.call(0).request.at("contents").at(0).at("parts").at(0) == Json{{"text", "hi"}});
  CHECK(third.call(0).request.at("generationConfig").at("temperature") == 0.5);
}

TEST_CASE("a request that only its own protocol has words for", "[own]") {
  ModelServer model([](ModelServer::Call& call) {
    call.head();
    call.send(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"content\":[]}}\n\n"
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":"
        "{\"type\":\"text\",\"text\":\"\"}}\n\n"
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
        "{\"type\":\"text_delta\",\"text\":\"x\"}}\n\n"
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
        "\"usage\":{\"output_tokens\":1}}\n\n"
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n");
    call.end();
  });
  const std::string body =
      R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":[{"type":"brand_new","x":1.0}]}]})";
  const std::string base = "http://127.0.0.1:" + std::to_string(model.port());
  Relay own({.upstream = "anthropic=" + base});
  const Response answer = post(own, "/v1/messages?beta=true", body, {{"anthropic-beta", "a"}, {"anthropic-beta", "b"}});
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  CHECK(answer.json().at("content").at(0).at("text") == "x");
  CHECK(model.call(0).body == body.substr(0, body.size() - 1) + R"(,"stream":true})");
  CHECK(model.call(0).head.find("POST /v1/messages?beta=true HTTP") == 0);
  CHECK(model.call(0).head.find("anthropic-beta: a, b") != std::string::npos);
  Relay other({.upstream = model.upstream()});
  const Response refused = post(other, "/v1/messages", body);
  CHECK(refused.status == 400);
  CHECK(refused.body.find("brand_new") != std::string::npos);
}

TEST_CASE("a refusal reaches a client of the provider's protocol as it was", "[own]") {
  const std::string too_long =
      R"({"error":{"message":"too long","type":"x","param":"messages","code":"context_length_exceeded","new":1.0}})";
  ModelServer model([&](ModelServer::Call& call) {
    const std::string asked = call.prompt();
    if (asked == "400") return call.refuse(400, too_long);
    if (asked == "429")
      return call.refuse(429,
                         R"({"error":{"message":"of sk-relays-own and inner-secret","code":"insufficient_quota"}})");
    if (asked == "401") return call.refuse(401, R"({"error":{"message":"bad key","code":"invalid_api_key"}})");
    call.refuse(500, "<html>");
  });
  Relay relay({.config = "[limits]\nupstream_retries = 0\n[[upstream]]\nkind = \"openai\"\nbase_url = \"" +
                         model.base_url() + "\"\nheaders = { \"X-Inner\" = \"inner-secret\" }\n",
               .env = {{"OPENAI_API_KEY", "sk-relays-own"}}});
  const auto asked = [&](const std::string& what, const std::string& members = "") {
    return post(relay, "/v1/chat/completions",
                R"({"model":"m","messages":[{"role":"user","content":")" + what + "\"}]" + members + "}");
  };
  for (const char* how : {"", R"(,"stream":true)"}) {
    const Response answer = asked("400", how);
    CHECK(answer.status == 400);
    CHECK(answer.body == too_long);
    CHECK(answer.head.get("x-should-retry") == "false");
  }
  const Response elsewhere =
      post(relay, "/v1/messages", R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"400"}]})");
  CHECK(elsewhere.status == 400);
  CHECK(elsewhere.json().at("error").at("message") == "too long");
  CHECK(elsewhere.json().at("type") == "error");
  const Response spent = asked("429");
  CHECK(spent.status == 429);
  CHECK(spent.body == R"({"error":{"message":"of *** and ***","code":"insufficient_quota"}})");
  const Response relays_own = asked("401");
  CHECK(relays_own.status == 502);
  CHECK(relays_own.body.find("bad key") == std::string::npos);
  CHECK(asked("500").json().at("error").at("code") == "upstream_error");
}
