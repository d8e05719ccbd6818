// Fallbacks, end to end: who answers when the first upstream does not, and what a reader sees of it.
#include <csignal>

#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"
#include "tests/support/temp_dir.h"
#include "tests/support/transcript.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;
using Call = ModelServer::Call;

std::string entry(const std::string& name, const std::string& base_url, const std::string& more) {
  return "[[upstream]]\nkind = \"openai\"\nname = \"" + name + "\"\nbase_url = \"" + base_url + "\"\n" + more + "\n";
}

Transcript finish(Relay& relay, const std::string& prompt = "p") {
  SseConnection reader(relay.port(), events_request(relay.create({{"model", "m"}, {"prompt", prompt}})));
  const auto all = transcript_of(reader.rest(60s));
  CHECK(reader.problems() == Strings{});
  CHECK(reader.end() == BodyEnd::clean);
  REQUIRE(all.done);
  return all;
}

Strings seams(const Transcript& all) {
  Strings out;
  for (const auto& seam : all.upstream)
    out.push_back(std::to_string(seam.at("attempt").get<int>()) + " " + seam.at("reason").get<std::string>());
  return out;
}

void answer(Call& call) {
  call.text("from " + call.request().at("model").get<std::string>());
  call.finish();
}

// The first upstream does as it is asked.
void fail_as_prompted(Call& call) {
  const std::string how = call.prompt();
  if (how == "fine") return answer(call);
  if (how == "cut") return call.cut();
  if (how == "after a delta") {
    call.text("partial");
    call.pause(50ms);
    return call.cut();
  }
  if (how == "long wait") return call.refuse(429, R"({"error":{"message":"later"}})", {{"Retry-After", "600"}});
  call.refuse(std::stoi(how), R"({"error":{"message":"no"}})", {{"Retry-After", "0"}});
}

}  // namespace

TEST_CASE("an upstream that fails before its first token is stood in for", "[fallback]") {
  ModelServer first(fail_as_prompted), second(answer);
  Relay relay({.config = entry("first", first.base_url(), "models = [\"m\"]\nfallback = [\"second=big\"]") +
                         entry("second", second.base_url(), "max_concurrent = 1")});
  const std::map<std::string, Strings> stood_in_for = {
      {"401", {"2 upstream_auth"}},
      {"long wait", {"2 upstream_rate_limited"}},
      {"503", {"2 upstream_overloaded", "3 upstream_overloaded", "4 upstream_overloaded"}},
      {"cut", {"2 upstream_truncated", "3 upstream_truncated", "4 upstream_truncated"}}};
  size_t calls = 0;
  for (const auto& [how, seen] : stood_in_for) {
    INFO(how);
    const auto all = finish(relay, how);
    CHECK(all.done->at("status") == "completed");
    CHECK(all.text == "from big");
    CHECK(seams(all) == seen);
    CHECK(second.calls() == ++calls);
  }
  CHECK(finish(relay, "fine").text == "from m");
  const auto partial = finish(relay, "after a delta");
  CHECK(partial.done->at("error").at("code") == "upstream_truncated");
  CHECK(partial.text == "partial");
  CHECK(seams(partial).empty());
  CHECK(finish(relay, "400").done->at("error").at("code") == "upstream_bad_request");
  CHECK(second.calls() == calls);
}

TEST_CASE("an upstream that is not there, and one that is of no use: the last failure is the stream's", "[fallback]") {
  ModelServer second([](Call& call) { call.refuse(401, R"({"error":{"message":"no"}})"); });
  const std::string nowhere = "http://127.0.0.1:" + std::to_string(unused_port()) + "/v1";
  Relay relay({.config = "[limits]\nupstream_retries = 0\n" + entry("first", nowhere, "fallback = [\"second\"]") +
                         entry("second", second.base_url(), "")});
  const auto all = finish(relay);
  CHECK(all.done->at("status") == "failed");
  CHECK(all.done->at("error").at("code") == "upstream_auth");
  CHECK(seams(all) == Strings{"2 upstream_unreachable"});
  REQUIRE(second.calls() == 1);
  CHECK(second.call(0).request.at("model") == "m");
}

TEST_CASE("an upstream of another kind stands in", "[fallback]") {
  ModelServer first([](Call& call) { call.refuse(401, R"({"error":{"message":"no"}})"); });
  ModelServer second([](Call& call) {
    const auto say = [&](const std::string& type, Json event) {
      event["type"] = type;
      call.send("event: " + type + "\ndata: " + event.dump() + "\n\n");
    };
    say("message_start", {{"message", {{"id", "msg_1"}, {"usage", {{"input_tokens", 3}, {"output_tokens", 1}}}}}});
    say("content_block_start", {{"index", 0}, {"content_block", {{"type", "text"}, {"text", ""}}}});
    say("content_block_delta", {{"index", 0}, {"delta", {{"type", "text_delta"}, {"text", "hello"}}}});
    say("content_block_stop", {{"index", 0}});
    say("message_delta", {{"delta", {{"stop_reason", "end_turn"}}}, {"usage", {{"output_tokens", 2}}}});
    say("message_stop", Json::object());
    call.end();
  });
  const std::string claude =
      "[[upstream]]\nkind = \"anthropic\"\nbase_url = \"http://127.0.0.1:" + std::to_string(second.port()) + "\"\n";
  Relay relay({.config = entry("first", first.base_url(), "fallback = [\"anthropic=claude\"]") + claude,
               .env = {{"OPENAI_API_KEY", "sk-one"}, {"ANTHROPIC_API_KEY", "sk-two"}}});
  const auto all = finish(relay);
  INFO(all.done->dump());
  CHECK(all.text == "hello");
  CHECK(all.done->at("status") == "completed");
  CHECK(all.done->at("usage") == Json{{"input_tokens", 3}, {"output_tokens", 2}, {"source", "provider"}});
  CHECK(all.start->at("provider") == "openai");  // where it began
  REQUIRE(second.calls() == 1);
  CHECK(second.call(0).request.at("model") == "claude");
  CHECK(second.call(0).head.find("sk-two") != std::string::npos);
  CHECK(second.call(0).head.find("sk-one") == std::string::npos);
}

TEST_CASE("a reload changes who stands in, for what starts afterwards", "[fallback]") {
  ModelServer first([](Call& call) {
    if (call.prompt() == "held" && !call.wait_released()) return;
    call.refuse(401, R"({"error":{"message":"no"}})");
  });
  ModelServer second(answer);
  const std::string alone = entry("first", first.base_url(), "models = [\"m\"]");
  Relay relay({.config = alone});
  const auto held = relay.create({{"model", "m"}, {"prompt", "held"}});
  REQUIRE(first.wait_calls(1));
  write_text(relay.config_file(), alone + "fallback = [\"second\"]\n" + entry("second", second.base_url(), ""));
  relay.process().signal(SIGHUP);
  REQUIRE(wait_until([&] { return relay.log().find("configuration reloaded") != std::string::npos; }, 5s));
  CHECK(finish(relay).text == "from m");
  first.release();
  CHECK(relay.wait_status(held, "failed"));
  CHECK(second.calls() == 1);
}

TEST_CASE("what a dialect cannot carry over is a 400 that names it, and starts nothing", "[fallback]") {
  ModelServer model(answer);
  Relay relay({.upstream = model.upstream()});
  const auto refused = relay.post(
      "/v1/streams", {{"model", "m"}, {"prompt", "p"}, {"parameters", {{"x_anthropic", {{"body", {{"top_k", 3}}}}}}}});
  CHECK(refused.status == 400);
  CHECK(refused.json().at("code") == "invalid_request");
  const std::string detail = refused.json().at("detail");
  CHECK(detail.rfind("parameters.x_anthropic: ", 0) == 0);
  CHECK(relay.get("/v1/streams").json().at("streams").empty());
  CHECK(model.calls() == 0);
}
