#include "service/api/create_request.h"

#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace tokenrelay::api;
using Action = relay::OnDisconnect::Action;

namespace {

StreamRequest good(std::string_view body) {
  auto parsed = parse_create_request(body, 64);
  INFO((parsed ? "" : parsed.error()));
  REQUIRE(parsed);
  return *parsed;
}

std::string with(std::string_view fields) {
  return "{\"prompt\":\"hi\"," + std::string(fields) + "}";
}

}  // namespace

TEST_CASE("a prompt becomes one user message", "[create_request]") {
  const auto request = good("{\"prompt\":\"h\\u00e9\"}");
  CHECK(request.messages == "[{\"role\":\"user\",\"content\":\"h\xc3\xa9\"}]");
  CHECK(request.prompt_bytes == 3);
  CHECK(request.model.empty());
  CHECK(request.parameters.empty());
  CHECK(request.on_disconnect.action == Action::keep_going);
}

TEST_CASE("messages pass through as they are, their text is counted", "[create_request]") {
  const auto request = good(R"({"model":"m","messages":[{"role":"system","content":"ab"},
    {"role":"user","name":"x","content":[{"type":"text","text":"cde"},{"type":"image_url","image_url":{"url":"u"}}]},
    {"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","tool_call_id":"t","content":""}]})");
  CHECK(request.prompt_bytes == 5);
  CHECK(request.model == "m");
  const auto messages = json::parse(request.messages);
  REQUIRE(messages);
  CHECK(messages->size() == 4);
  CHECK((*messages)[1]["name"] == "x");
  CHECK((*messages)[1]["content"][1]["image_url"]["url"] == "u");
}

TEST_CASE("parameters and metadata pass through", "[create_request]") {
  const auto request = good(with(R"("parameters":{"temperature":0.5,"stop":["a"]},"metadata":{"user":"u"})"));
  CHECK(request.parameters == R"({"temperature":0.5,"stop":["a"]})");
  CHECK(request.metadata == R"({"user":"u"})");
}

TEST_CASE("on_disconnect in its three forms", "[create_request]") {
  CHECK(good(with(R"("on_disconnect":"continue")")).on_disconnect.action == Action::keep_going);
  CHECK(good(with(R"("on_disconnect":"cancel")")).on_disconnect.action == Action::cancel);
  const auto timed = good(with(R"("on_disconnect":{"cancel_after_ms":1500})")).on_disconnect;
  CHECK(timed.action == Action::cancel_after);
  CHECK(timed.after_ms == 1500);
  CHECK(good(with(R"("on_disconnect":{"cancel_after_ms":0})")).on_disconnect.after_ms == 0);
}

TEST_CASE("a bad body is refused with what is wrong and where", "[create_request]") {
  struct Bad {
    std::string body, says;
  };
  const std::string long_model(257, 'm');
  const std::vector<Bad> table = {
      {"", "not valid JSON"},
      {"{\"prompt\":\"a\"", "not valid JSON: line 1"},
      {"{\"prompt\":\"a\"} x", "not valid JSON"},
      {"{\"prompt\":\"a\",\"prompt\":\"b\"}", "not valid JSON"},
      {"{\"prompt\":\"\xff\"}", "not valid JSON"},
      {"{\"prompt\":\"\\ud83d\"}", "not valid JSON"},
      {"[]", "must be a JSON object"},
      {"\"prompt\"", "must be a JSON object"},
      {"null", "must be a JSON object"},
      {"{}", "exactly one of \"prompt\" and \"messages\""},
      {R"({"prompt":"a","messages":[{"role":"user","content":"b"}]})", "exactly one of \"prompt\" and \"messages\""},
      {R"({"prompt":1})", "\"prompt\" must be a string"},
      {R"({"prompt":null})", "\"prompt\" must be a string"},
      {R"({"messages":{}})", "\"messages\" must be a non-empty array"},
      {R"({"messages":[]})", "\"messages\" must be a non-empty array"},
      {R"({"messages":["a"]})", "messages[0] must be an object"},
      {R"({"messages":[{"role":"user","content":"a"},{"content":"b"}]})", "messages[1].role"},
      {R"({"messages":[{"role":"","content":"b"}]})", "messages[0].role"},
      {R"({"messages":[{"role":7,"content":"b"}]})", "messages[0].role"},
      {R"({"messages":[{"role":"user"}]})", "messages[0].content is missing"},
      {R"({"messages":[{"role":"user","content":null}]})", "messages[0].content is missing"},
      {R"({"messages":[{"role":"user","content":5}]})", "messages[0].content must be a string or an array"},
      {R"({"messages":[{"role":"user","content":[{"text":"a"},"b"]}]})", "messages[0].content[1] must be an object"},
      {with("\"model\":1"), "\"model\" must be a string"},
      {with("\"model\":\"\""), "\"model\" must have 1 to 256 bytes"},
      {with("\"model\":\"" + long_model + "\""), "\"model\" must have 1 to 256 bytes"},
      {with("\"parameters\":[]"), "\"parameters\" must be an object"},
      {with("\"parameters\":null"), "\"parameters\" must be an object"},
      {with("\"metadata\":\"x\""), "metadata must be an object of strings"},
      {with("\"metadata\":{\"a\":1}"), "metadata.a must be a string"},
      {with("\"on_disconnect\":\"stop\""), "\"on_disconnect\" must be"},
      {with("\"on_disconnect\":null"), "\"on_disconnect\" must be"},
      {with("\"on_disconnect\":{}"), "\"on_disconnect\" must be"},
      {with("\"on_disconnect\":{\"cancel_after_ms\":1,\"x\":2}"), "\"on_disconnect\" must be"},
      {with("\"on_disconnect\":{\"cancel_after_ms\":-1}"), "on_disconnect.cancel_after_ms"},
      {with("\"on_disconnect\":{\"cancel_after_ms\":1.5}"), "on_disconnect.cancel_after_ms"},
      {with("\"on_disconnect\":{\"cancel_after_ms\":\"1\"}"), "on_disconnect.cancel_after_ms"},
      {with("\"on_disconnect\":{\"cancel_after_ms\":86400001}"), "on_disconnect.cancel_after_ms"},
      {with("\"on_disconnect\":{\"cancel_after_ms\":18446744073709551615}"), "on_disconnect.cancel_after_ms"},
      {with("\"stream\":true"), "unknown field \"stream\""},
      {with("\"Model\":\"m\""), "unknown field \"Model\""},
      {with("\"a\\u0000\\n\\\"\":1"), "unknown field \"a???\""}};
  for (const auto& [body, says] : table) {
    INFO(body);
    const auto parsed = parse_create_request(body, 64);
    REQUIRE_FALSE(parsed);
    INFO(parsed.error());
    CHECK(parsed.error().find(says) != std::string::npos);
  }
}

TEST_CASE("what the relay sets itself cannot be given", "[create_request]") {
  for (const std::string name :
       {"model", "messages", "prompt", "input", "contents", "stream", "stream_options", "n", "background"}) {
    const auto parsed = parse_create_request(with("\"parameters\":{\"" + name + "\":1}"), 64);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().find("parameters." + name + " ") != std::string::npos);
  }
}

TEST_CASE("metadata has the limits that OpenAI's clients know, in characters", "[create_request]") {
  const auto fits = [](size_t entries, size_t name, size_t value) {
    std::string members;
    for (size_t i = 0; i < entries; ++i) {
      std::string key(1, static_cast<char>('a' + i)), text;
      for (size_t n = 1; n < name; ++n) key += "\xC3\xA4";
      for (size_t n = 0; n < value; ++n) text += "\xE2\x82\xAC";
      members += (i ? ",\"" : "\"") + key + "\":\"" + text + "\"";
    }
    return parse_create_request(with("\"metadata\":{" + members + "}"), 64).has_value();
  };
  CHECK(fits(16, 64, 512));
  CHECK_FALSE(fits(17, 1, 1));
  CHECK_FALSE(fits(1, 65, 1));
  CHECK_FALSE(fits(1, 1, 513));
}

TEST_CASE("what is shown of a hostile body is short and printable", "[create_request]") {
  const auto parsed = parse_create_request(with("\"" + std::string(100'000, 'x') + "\":1"), 64);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().size() < 200);
  std::string entries;
  for (int i = 0; i < 17; ++i) entries += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
  CHECK_FALSE(parse_create_request(with("\"metadata\":{" + entries + "}"), 64));
}

TEST_CASE("a body nested too deep is refused", "[create_request]") {
  const auto nested = [](size_t depth) {
    return with("\"parameters\":{\"a\":" + std::string(depth, '[') + std::string(depth, ']') + "}");
  };
  CHECK(parse_create_request(nested(20), 64));
  CHECK_FALSE(parse_create_request(nested(64), 64));
  CHECK_FALSE(parse_create_request(nested(100'000), 64));
}

TEST_CASE("a body of too many values is refused", "[create_request]") {
  const auto with_values = [](size_t values) {
    std::string list = "[";
    for (size_t i = 0; i < values; ++i) list += "0,";
    list.back() = ']';
    return with("\"parameters\":{\"a\":" + list + "}");
  };
  CHECK(parse_create_request(with_values(900), {64, 1'000}));
  const auto refused = parse_create_request(with_values(1'000), {64, 1'000});
  REQUIRE_FALSE(refused);
  CHECK(refused.error().find("more than 1000 values") != std::string::npos);
}

TEST_CASE("a turn that refused is given back as the SDKs hand it out", "[create_request]") {
  const auto parsed = tokenrelay::api::parse_create_request(
      R"({"messages":[{"role":"assistant","content":null,"refusal":"no"},{"role":"user","content":"hi"}]})", 64);
  REQUIRE(parsed);
  CHECK(parsed->prompt_bytes == 4);
}
