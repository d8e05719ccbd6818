// POST /v1/messages in neutral words for each kind of upstream, and what is refused by which name.
#include "service/surface/anthropic/request.h"

#include "service/surface/anthropic/opaque.h"
#include "tests/support/catch.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

Value parsed(const std::string& text) {
  return json::parse(text).value();
}

tl::expected<AnthropicRequest, Error> read(const std::string& members, const std::string& kind,
                                           const AnthropicHeaders& headers = {}) {
  std::string body = R"({"model":"m","max_tokens":9)";
  if (members.find("\"messages\"") == members.npos) body += R"(,"messages":[{"role":"user","content":"hi"}])";
  body += members.empty() ? "}" : "," + members + "}";
  return parse_anthropic_request(body, 64, headers, [&](const std::string&) { return kind; });
}

AnthropicRequest asked(const std::string& members, const std::string& kind, const AnthropicHeaders& headers = {}) {
  auto out = read(members, kind, headers);
  INFO(members << (out ? "" : out.error().param + ": " + out.error().message));
  REQUIRE(out);
  return *out;
}

Value messages_for(const std::string& members, const std::string& kind = "gemini") {
  return parsed(asked(members, kind).messages);
}

Value parameters_for(const std::string& members, const std::string& kind = "gemini",
                     const AnthropicHeaders& headers = {}) {
  Value out = parsed(asked(members, kind, headers).parameters);
  CHECK(out["max_completion_tokens"] == 9);
  out.erase("max_completion_tokens");
  return out;
}

std::string refused(const std::string& members, const std::string& kind = "gemini") {
  const auto out = read(members, kind);
  REQUIRE_FALSE(out);
  CHECK(out.error().status == 400);
  return out.error().param;
}

const std::string conversation = R"("system":[{"type":"text","text":"Be","cache_control":{"type":"ephemeral"}}],
  "messages":[
    {"role":"user","content":[{"type":"text","text":"see"},
      {"type":"image","source":{"type":"base64","media_type":"image/png","data":"aGk="}},
      {"type":"document","title":"t","source":{"type":"text","media_type":"text/plain","data":"hey!"}}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
      {"type":"redacted_thinking","data":"r"},{"type":"text","text":"ok"},
      {"type":"tool_use","id":"t1","name":"f","input":{"x":1}}]},
    {"role":"user","content":[
      {"type":"tool_result","tool_use_id":"t1","is_error":true,"cache_control":{"type":"ephemeral"},"content":"bad"},
      {"type":"text","text":"so?"},
      {"type":"tool_result","tool_use_id":"t2","content":[{"type":"image","source":{"type":"url","url":"https://a"}}]},
      {"type":"tool_result","tool_use_id":"t3"}]}])";

TEST_CASE("Messages request: a conversation for its own kind") {
  CHECK(messages_for(conversation, "anthropic") == parsed(R"([
    {"role":"system","content":[{"type":"text","text":"Be","cache_control":{"type":"ephemeral"}}]},
    {"role":"user","content":[{"type":"text","text":"see"},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}},
      {"type":"file","file":{"file_data":"data:text/plain;base64,aGV5IQ==","filename":"t"}}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
      {"type":"redacted_thinking","data":"r"},{"type":"text","text":"ok"}],
      "tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
    {"role":"tool","tool_call_id":"t1","is_error":true,
      "content":[{"type":"text","text":"bad","cache_control":{"type":"ephemeral"}}]},
    {"role":"user","content":"so?"},
    {"role":"tool","tool_call_id":"t2","content":[{"type":"image_url","image_url":{"url":"https://a"}}]},
    {"role":"tool","tool_call_id":"t3","content":""}])"));
}

TEST_CASE("Messages request: a conversation for another kind") {
  CHECK(messages_for(conversation, "openai") == parsed(R"([
    {"role":"system","content":"Be"},
    {"role":"user","content":[{"type":"text","text":"see"},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}},{"type":"text","text":"t\n\nhey!"}]},
    {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"s"},
      {"type":"redacted_thinking","data":"r"},{"type":"text","text":"ok"}],
      "tool_calls":[{"id":"t1","type":"function","function":{"name":"f","arguments":"{\"x\":1}"}}]},
    {"role":"tool","tool_call_id":"t1","is_error":true,"content":"bad"},
    {"role":"user","content":"so?"},
    {"role":"tool","tool_call_id":"t2","content":[{"type":"image_url","image_url":{"url":"https://a"}}]},
    {"role":"tool","tool_call_id":"t3","content":""}])"));
}

TEST_CASE("Messages request: documents by size of what they hold") {
  const auto part = [](const std::string& source) {
    return messages_for(R"("messages":[{"role":"user","content":[{"type":"document","source":)" + source + "}]}]",
                        "anthropic")[0]["content"][0]["file"];
  };
  CHECK(part(R"({"type":"base64","media_type":"application/pdf","data":"JVBERg=="})") ==
        parsed(R"({"file_data":"data:application/pdf;base64,JVBERg=="})"));
  CHECK(part(R"({"type":"url","url":"https://a"})") == parsed(R"({"file_url":"https://a"})"));
  CHECK(part(R"({"type":"file","file_id":"file_1"})") == parsed(R"({"file_id":"file_1"})"));
  CHECK(part(R"({"type":"text","data":"a"})")["file_data"] == "data:text/plain;base64,YQ==");
  CHECK(part(R"({"type":"text","data":"ab"})")["file_data"] == "data:text/plain;base64,YWI=");
}

TEST_CASE("Messages request: what another provider wanted back finds its place again") {
  const auto turn = [](const Value& opaque) {
    const Value block = opaque_block(opaque);
    return R"("messages":[{"role":"assistant","content":[{"type":"text","text":"a"},)" + json::dump(block) +
           R"(,{"type":"tool_use","id":"t","name":"f","input":{}}]}])";
  };
  const Value gemini = parsed(R"({"provider":"gemini","type":"thought_signature","data":"s","index":0})");
  const Value on_text = parsed(R"({"provider":"gemini","type":"thought_signature","data":"s"})");
  const Value openai = parsed(R"({"provider":"openai-responses","type":"encrypted_reasoning","id":"rs","data":"e"})");
  const Value signature = parsed(R"({"google":{"thought_signature":"s"}})");
  CHECK(messages_for(turn(gemini))[0]["tool_calls"][0]["extra_content"] == signature);
  CHECK(messages_for(turn(on_text))[0]["content"][0]["extra_content"] == signature);
  CHECK(messages_for(turn(openai), "openai-responses")[0]["content"][1] ==
        parsed(R"({"type":"reasoning","id":"rs","encrypted_content":"e","summary":[]})"));
  for (const Value& opaque : {gemini, on_text, openai}) {
    CHECK(messages_for(turn(opaque), "anthropic")[0]["content"] == "a");
    CHECK(messages_for(turn(opaque), "openai")[0]["content"] == "a");
  }
}

TEST_CASE("Messages request: parameters") {
  CHECK(parameters_for(R"("temperature":0.5,"top_p":1,"top_k":4,"stop_sequences":["E"],"metadata":{"user_id":"u"},
                          "stream":true,"service_tier":null,"cache_control":{"type":"ephemeral"})") ==
        parsed(R"({"temperature":0.5,"top_p":1,"top_k":4,"stop":["E"],"user":"u"})"));
  CHECK(asked(R"("stream":true)", "demo").stream);
  CHECK(asked("", "demo").marks == R"(,"surface":"anthropic")");
  CHECK(parameters_for(R"("tools":[{"name":"f","description":"d","input_schema":{"type":"object"},"strict":true,
                          "cache_control":{"type":"ephemeral"}}],"tool_choice":{"type":"any","disable_parallel_tool_use":true})") ==
        parsed(R"({"tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"},
                   "strict":true}}],"tool_choice":"required","parallel_tool_calls":false})"));
  CHECK(parameters_for(R"("tool_choice":{"type":"tool","name":"f"})") ==
        parsed(R"({"tool_choice":{"type":"function","function":{"name":"f"}}})"));
  CHECK(parameters_for(R"("tool_choice":{"type":"none","disable_parallel_tool_use":true})") ==
        parsed(R"({"tool_choice":"none"})"));
}

TEST_CASE("Messages request: thinking and output, for other kinds and for its own") {
  const auto effort = [](int budget) {
    const auto thinking = R"("thinking":{"type":"enabled","budget_tokens":)" + std::to_string(budget) + "}";
    return parameters_for(thinking)["reasoning_effort"];
  };
  CHECK(effort(1024) == "low");
  CHECK(effort(8192) == "medium");
  CHECK(effort(30000) == "high");
  CHECK(parameters_for(R"("thinking":{"type":"disabled"})") == Value::object());
  CHECK(parameters_for(R"("thinking":{"type":"adaptive"},"output_config":{"effort":"max"})") ==
        parsed(R"({"reasoning_effort":"xhigh"})"));
  CHECK(parameters_for(R"("output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}})") ==
        parsed(R"({"response_format":{"type":"json_schema","json_schema":{"name":"answer","schema":{"type":"object"},
                   "strict":true}}})"));
  const std::string own = R"("thinking":{"type":"between_tools"},"output_config":{"effort":"low"},"container":"c",
      "metadata":{"user_id":"u","more":"x"},"cache_control":{"type":"ephemeral"},
      "tools":[{"type":"bash_20250124","name":"bash"},{"name":"f","input_schema":{},"cache_control":{"type":"ephemeral"}},
               {"name":"g","input_schema":{},"defer_loading":true}])";
  CHECK(parameters_for(own, "anthropic", {"2026-10-21", "a,b"}) ==
        parsed(R"({"user":"u","tools":[{"type":"function","function":{"name":"f","parameters":{}},
                     "cache_control":{"type":"ephemeral"}}],
                   "x_anthropic":{"body":{"thinking":{"type":"between_tools"},"output_config":{"effort":"low"},
                     "container":"c","metadata":{"more":"x"},"cache_control":{"type":"ephemeral"},
                     "tools":[{"type":"bash_20250124","name":"bash"},
                              {"name":"g","input_schema":{},"defer_loading":true}]},
                     "headers":{"anthropic-version":"2026-10-21","anthropic-beta":"a,b"}}})"));
  CHECK(parameters_for("", "anthropic", {"2023-06-01", ""}) == Value::object());
  CHECK(parameters_for("", "gemini", {"2026-10-21", "a"}) == Value::object());
}

TEST_CASE("Messages request: what is refused, by the client's own names") {
  const std::pair<std::string, std::string> cases[] = {
      {R"("messages":[])", "messages"},
      {R"("messages":"x")", "messages"},
      {R"("messages":[1])", "messages[0]"},
      {R"("messages":[{"role":"user"}])", "messages[0].content"},
      {R"("messages":[{"role":"user","content":1}])", "messages[0].content"},
      {R"("messages":[{"role":"tool","content":"x"}])", "messages[0].role"},
      {R"("messages":[{"role":"user","content":[1]}])", "messages[0].content[0]"},
      {R"("messages":[{"role":"user","content":[{"text":"x"}]}])", "messages[0].content[0].type"},
      {R"("messages":[{"role":"user","content":[{"type":"thinking","thinking":"x"}]}])", "messages[0].content[0]"},
      {R"("messages":[{"role":"user","content":[{"type":"search_result"}]}])", "messages[0].content[0]"},
      {R"("messages":[{"role":"user","content":[{"type":"image","source":{"type":"file"}}]}])",
       "messages[0].content[0].source"},
      {R"("messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"x"},
          "citations":{"enabled":true}}]}])",
       "messages[0].content[0].citations"},
      {R"("messages":[{"role":"assistant","content":[{"type":"tool_use","name":"f"}]}])", "messages[0].content[0].id"},
      {R"("messages":[{"role":"assistant","content":[{"type":"server_tool_use"}]}])", "messages[0].content[0]"},
      {R"("messages":[{"role":"user","content":[{"type":"tool_result","content":[{"type":"x"}]}]}])",
       "messages[0].content[0].content[0]"},
      {R"("system":[{"type":"image"}])", "system[0]"},
      {R"("system":1)", "system"},
      {R"("stream":1)", "stream"},
      {R"("tools":{"a":1})", "tools"},
      {R"("tools":[{"type":"web_search_20250305","name":"web_search"}])", "tools[0]"},
      {R"("tools":[{"name":"f","input_examples":[{}]}])", "tools[0].input_examples"},
      {R"("tool_choice":{"type":"tool"})", "tool_choice"},
      {R"("metadata":1)", "metadata"},
      {R"("thinking":{"type":"between_tools"})", "thinking.type"},
      {R"("thinking":{"type":"enabled"})", "thinking.budget_tokens"},
      {R"("output_config":{"format":{"type":"text"}})", "output_config.format"},
      {R"("output_config":{"new":1})", "output_config.new"}};
  for (const auto& [members, param] : cases) {
    INFO(members);
    CHECK(refused(members) == param);
  }
  CHECK_FALSE(parse_anthropic_request("{", 64, {}, [](const auto&) { return ""; }));
  CHECK_FALSE(parse_anthropic_request("[]", 64, {}, [](const auto&) { return ""; }));
  CHECK_FALSE(parse_anthropic_request(R"({"model":1,"messages":[]})", 64, {}, [](const auto&) { return ""; }));
}

TEST_CASE("Messages request: a dialect's refusals in the client's own names and count") {
  const auto name = asked(conversation + R"(,"container":"c")", "gemini").field_name;
  CHECK(name("messages[1].content[2]") == "messages[0].content[2]");
  CHECK(name("messages[0].content[0]") == "system[0]");
  CHECK(name("messages[2].tool_calls[0].function.arguments") == "messages[1].content[3]");
  CHECK(name("messages[5].content[0]") == "messages[2].content[2].content[0]");
  CHECK(name("messages[4].role") == "messages[2]");
  CHECK(name("messages[99]") == "messages[99]");
  CHECK(name("messages") == "messages");
  CHECK(name("parameters.stop") == "stop_sequences");
  CHECK(name("parameters.user") == "metadata.user_id");
  CHECK(name("parameters.x_anthropic") == "container");
  CHECK(name("parameters.x_anthropic.body.model") == "model");
  CHECK(name("parameters.top_k") == "top_k");
}

}  // namespace
}  // namespace tokenrelay::surface
