#include "service/upstream/prompt.h"

#include "tests/support/catch.h"

using namespace tokenrelay::upstream;

namespace {

tl::expected<Prompt, UnsupportedField> read(const std::string& messages, const std::string& parameters = "") {
  return read_prompt({"m", messages, parameters, ""});
}

std::string refused_field(const std::string& messages, const std::string& parameters = "") {
  const auto prompt = read(messages, parameters);
  return prompt ? "" : prompt.error().field;
}

}  // namespace

TEST_CASE("turns, parts, calls and results", "[prompt]") {
  const auto prompt = read(R"([
    {"role":"developer","content":"be kind"},
    {"role":"user","content":[{"type":"text","text":"a"},{"type":"image_url","image_url":{"url":"data:image/png;base64,QQ=="}}]},
    {"role":"assistant","content":null,"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":""},
      "extra_content":{"google":{"thought_signature":"sig"}}}]},
    {"role":"tool","tool_call_id":"c","name":"f","content":"42","is_error":true},
    {"role":"assistant","content":null,"refusal":"no"}])");
  REQUIRE(prompt);
  const auto& turns = prompt->messages;
  REQUIRE(turns.size() == 5);
  CHECK(turns[0].role == PromptMessage::Role::system);
  CHECK(turns[1].parts.at(1).media_type == "image/png");
  CHECK(turns[1].parts.at(1).data == "QQ==");
  CHECK(turns[2].tool_calls.at(0).arguments == "{}");
  CHECK(turns[2].tool_calls.at(0).thought_signature == "sig");
  CHECK(turns[3].is_error);
  CHECK(turns[3].name == "f");
  CHECK(turns[4].parts.at(0).kind == PromptPart::Kind::refusal);
  CHECK(turns[4].parts.at(0).text == "no");
  CHECK(path_of(turns[1], 1) == "messages[1].content[1]");
}

TEST_CASE("parameters: what all dialects know, the rest by name, null is absent", "[prompt]") {
  const auto prompt = read("[]", R"({"max_tokens":5,"max_completion_tokens":7,"stop":"x","seed":null,"temperature":1,
    "tools":[{"type":"function","function":{"name":"f","strict":true}}],"tool_choice":{"type":"function","function":{"name":"f"}}})");
  REQUIRE(prompt);
  CHECK(prompt->max_tokens == 7u);
  CHECK(prompt->stop == std::vector<std::string>{"x"});
  CHECK(prompt->tools.at(0).strict == true);
  CHECK(prompt->tool_choice.name == "f");
  CHECK(prompt->others.size() == 1);
  CHECK(prompt->others["temperature"] == 1);
}

TEST_CASE("what cannot be read is refused by its place", "[prompt]") {
  CHECK(refused_field("{}") == "messages");
  CHECK(refused_field(R"([{"role":"wizard","content":"x"}])") == "messages[0].role");
  CHECK(refused_field(R"([{"role":"user","name":"ann","content":"x"}])") == "messages[0].name");
  CHECK(refused_field(R"([{"role":"user","content":[{"type":"video"}]}])") == "messages[0].content[0].type");
  CHECK(refused_field(R"([{"role":"user","content":[{"type":"image_url"}]}])") ==
        "messages[0].content[0].image_url.url");
  CHECK(refused_field(R"([{"role":"assistant","tool_calls":[{"type":"custom"}]}])") ==
        "messages[0].tool_calls[0].type");
  CHECK(refused_field("[]", R"({"stop":[1]})") == "parameters.stop");
  CHECK(refused_field("[]", R"({"max_tokens":"many"})") == "parameters.max_tokens");
  CHECK(refused_field("[]", "[]") == "parameters");
}
