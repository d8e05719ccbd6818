// POST /v1/responses in neutral words, and what is refused by which name.
#include "service/surface/responses/request.h"

#include "tests/support/catch.h"
#include "tests/surface/responses/events.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

Value parsed(const std::string& text) {
  return json::parse(text).value();
}

ResponsesRequest asked(const Value& body, std::string_view kind = "openai") {
  const auto read = read_responses_request(body, {}, kind);
  INFO(json::dump(body) << (read ? "" : read.error().param + ": " + read.error().message));
  REQUIRE(read);
  return *read;
}

Value messages_for(const std::string& input, std::string_view kind = "openai") {
  return parsed(asked(Value{{"input", parsed(input)}}, kind).messages);
}

Value parameters_for(const std::string& members, std::string_view kind = "openai") {
  Value body = parsed(members);
  body["input"] = "x";
  return parsed(asked(body, kind).parameters);
}

TEST_CASE("Responses request: input") {
  struct Case {
    std::string input, messages;
  };
  const std::vector<Case> cases = {
      {R"("Hi")", R"([{"role":"user","content":"Hi"}])"},
      {R"([{"role":"developer","content":"Be"},{"role":"user","content":[{"type":"input_text","text":"Hi"}]}])",
       R"([{"role":"developer","content":"Be"},{"role":"user","content":"Hi"}])"},
      {R"([{"type":"message","role":"user","content":[{"type":"input_text","text":"a"},
           {"type":"input_image","image_url":"https://x/y.png","detail":"low"},
           {"type":"input_file","file_data":"data:text/plain;base64,YQ==","filename":"a.txt"},
           {"type":"input_audio","input_audio":{"data":"YQ==","format":"wav"}}]}])",
       R"([{"role":"user","content":[{"type":"text","text":"a"},
           {"type":"image_url","image_url":{"url":"https://x/y.png","detail":"low"}},
           {"type":"file","file":{"file_data":"data:text/plain;base64,YQ==","filename":"a.txt"}},
           {"type":"input_audio","input_audio":{"data":"YQ==","format":"wav"}}]}])"},
      {R"([{"role":"user","content":"q"},
           {"type":"reasoning","id":"rs_1","summary":[]},
           {"type":"message","id":"msg_1","role":"assistant",
            "content":[{"type":"output_text","text":"I look","annotations":[]}]},
           {"type":"function_call","id":"fc_1","call_id":"c1","name":"f","arguments":"{}"},
           {"type":"function_call","call_id":"c2","name":"g","arguments":"{}"},
           {"type":"function_call_output","call_id":"c1","output":"r1"},
           {"type":"function_call_output","call_id":"c2","output":[{"type":"input_text","text":"r2"}]},
           {"type":"function_call","call_id":"c3","name":"f","arguments":"{}"}])",
       R"([{"role":"user","content":"q"},
           {"role":"assistant","content":"I look","tool_calls":[
             {"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}},
             {"id":"c2","type":"function","function":{"name":"g","arguments":"{}"}}]},
           {"role":"tool","tool_call_id":"c1","content":"r1"},
           {"role":"tool","tool_call_id":"c2","content":"r2"},
           {"role":"assistant","content":null,"tool_calls":[
             {"id":"c3","type":"function","function":{"name":"f","arguments":"{}"}}]}])"},
      {R"([{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}])",
       R"([{"role":"assistant","content":[{"type":"refusal","refusal":"no"}]}])"},
  };
  for (const auto& one : cases) CHECK(messages_for(one.input) == parsed(one.messages));
}

TEST_CASE("Responses request: parameters") {
  const Value all = parameters_for(
      R"({"model":"m","max_output_tokens":9,"temperature":0.5,"top_p":1,"parallel_tool_calls":false,"user":"u",
          "text":{"format":{"type":"json_schema","name":"n","schema":{},"strict":true},"verbosity":"low"},
          "reasoning":{"effort":"high","summary":"auto"},"store":false,"stream_options":{"include_obfuscation":false},
          "include":["reasoning.encrypted_content"],"truncation":"disabled","tools":[
          {"type":"function","name":"f","description":null,"parameters":{"type":"object"},"strict":true}],
          "tool_choice":{"type":"function","name":"f"},"previous_response_id":null,"conversation":null})");
  CHECK(all == parsed(R"({"max_completion_tokens":9,"temperature":0.5,"top_p":1,"parallel_tool_calls":false,"user":"u",
          "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{},"strict":true}},
          "verbosity":"low","reasoning_effort":"high",
          "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"},"strict":true}}],
          "tool_choice":{"type":"function","function":{"name":"f"}}})"));
  CHECK(parameters_for(R"({"text":{"format":{"type":"text"}},"tools":[],"tool_choice":"auto"})") ==
        Value{{"tool_choice", "auto"}});
}

TEST_CASE("Responses request: what only this protocol knows goes to its own kind") {
  const Value own = parameters_for(
      R"({"truncation":"auto","conversation":"conv_1","reasoning":{"effort":"low","summary":"auto"},"store":false,
          "tools":[{"type":"web_search"},{"type":"function","name":"f","parameters":{}}],
          "tool_choice":{"type":"web_search"}})",
      "openai-responses");
  CHECK(own ==
        parsed(R"({"reasoning_effort":"low","tools":[{"type":"function","function":{"name":"f","parameters":{}}}],
      "x_responses":{"body":{"truncation":"auto","conversation":"conv_1","reasoning":{"summary":"auto"},"store":false,
      "tools":[{"type":"web_search"}],"tool_choice":{"type":"web_search"}}}})"));
}

TEST_CASE("Responses request: the marks and the rest") {
  const auto one = asked(
      parsed(R"({"model":"m","input":"Hi","instructions":"Be","stream":true,"background":true,"metadata":{"a":"b"}})"));
  CHECK(one.model == "m");
  CHECK(one.stream);
  CHECK(one.background);
  CHECK(one.metadata == R"({"a":"b"})");
  CHECK(one.marks == R"(,"surface":"responses","background":true)");
  CHECK(one.on_disconnect.action == relay::OnDisconnect::Action::keep_going);
  CHECK(parsed(one.messages)[0] == Value{{"role", "system"}, {"content", "Be"}});
}

TEST_CASE("Responses request: refusals name the client's field") {
  struct Case {
    std::string body, param;
  };
  const std::vector<Case> cases = {
      {R"({})", "input"},
      {R"({"input":7})", "input"},
      {R"({"input":[]})", "input"},
      {R"({"input":[{"type":"reasoning","summary":[]}]})", "input"},
      {R"({"input":["x"]})", "input[0]"},
      {R"({"input":[{"role":"robot","content":"x"}]})", "input[0].role"},
      {R"({"input":[{"role":"user"}]})", "input[0].content"},
      {R"({"input":[{"role":"user","content":[{"type":"input_video"}]}]})", "input[0].content[0].type"},
      {R"({"input":[{"role":"user","content":[{"type":"input_text"}]}]})", "input[0].content[0].text"},
      {R"({"input":[{"type":"computer_call"}]})", "input[0].type"},
      {R"({"input":[{"type":"function_call","name":"f","arguments":"{}"}]})", "input[0].call_id"},
      {R"({"input":[{"type":"function_call_output","output":"x"}]})", "input[0].call_id"},
      {R"({"input":[{"type":"function_call_output","call_id":"c"}]})", "input[0].output"},
      {R"({"input":"x","instructions":7})", "instructions"},
      {R"({"input":"x","stream":"yes"})", "stream"},
      {R"({"input":"x","background":1})", "background"},
      {R"({"input":"x","metadata":{"a":1}})", "metadata"},
      {R"({"input":"x","metadata":{"a":")" + std::string(513, 'x') + "\"}}", "metadata"},
      {R"({"input":"x","max_output_tokens":"9"})", "max_output_tokens"},
      {R"({"input":"x","previous_response_id":"resp_1"})", "previous_response_id"},
      {R"({"input":"x","conversation":"conv_1"})", "conversation"},
      {R"({"input":"x","prompt":{"id":"p"}})", "prompt"},
      {R"({"input":"x","max_tool_calls":2})", "max_tool_calls"},
      {R"({"input":"x","include":["file_search_call.results"]})", "include[0]"},
      {R"({"input":"x","text":{"format":{"type":"grammar"}}})", "text.format.type"},
      {R"({"input":"x","reasoning":{"mode":"pro"}})", "reasoning.mode"},
      {R"({"input":"x","tools":[{"type":"web_search"}]})", "tools[0].type"},
      {R"({"input":"x","tools":[{"type":"function"}]})", "tools[0].name"},
      {R"({"input":"x","tool_choice":{"type":"web_search"}})", "tool_choice"},
  };
  for (const auto& one : cases) {
    INFO(one.body);
    const auto read = read_responses_request(parsed(one.body), {}, "openai");
    REQUIRE(!read);
    CHECK(read.error().status == 400);
    CHECK(read.error().param == one.param);
  }
}

TEST_CASE("Responses request: a protocol's refusal in the client's words") {
  CHECK(responses_field("parameters.max_completion_tokens") == "max_output_tokens");
  CHECK(responses_field("parameters.response_format") == "text.format");
  CHECK(responses_field("parameters.reasoning_effort") == "reasoning.effort");
  CHECK(responses_field("parameters.tools[1].function.strict") == "tools[1].strict");
  CHECK(responses_field("parameters.temperature") == "temperature");
  CHECK(responses_field("messages[2].content[0]") == "input");
}

TEST_CASE("Responses request: what a provider wants back goes back to it, and to no other") {
  const std::vector<std::pair<std::string, Value>> opaques = {
      {"anthropic", parsed(R"({"provider":"anthropic","type":"signature","data":"s"})")},
      {"anthropic", parsed(R"({"provider":"anthropic","type":"redacted_thinking","data":"s"})")},
      {"openai-responses",
       parsed(R"({"provider":"openai-responses","type":"encrypted_reasoning","id":"rs_9","data":"s"})")},
      {"gemini", parsed(R"({"provider":"gemini","type":"thought_signature","index":0,"data":"s"})")}};
  const std::vector<Value> expected = {parsed(R"({"type":"thinking","thinking":"Hm","signature":"s"})"),
                                       parsed(R"({"type":"redacted_thinking","data":"s"})"),
                                       parsed(R"({"type":"reasoning","id":"rs_9","encrypted_content":"s",
          "summary":[{"type":"summary_text","text":"Hm"}]})"),
                                       Value()};
  for (size_t i = 0; i < opaques.size(); ++i) {
    const auto events = told({start_event(), reasoning_event("Hm"), opaque_event(json::dump(opaques[i].second)),
                              call_event(0, "{}"), completed_event()});
    const std::string output = json::dump(events.back()["response"]["output"]);
    for (const std::string kind : {"anthropic", "openai-responses", "gemini", "openai"}) {
      INFO(kind << " " << output);
      const Value message = messages_for(output, kind)[0];
      const bool own = kind == opaques[i].first;
      const Value& call = message["tool_calls"][0];
      CHECK(message["content"] == (own && !expected[i].is_null() ? Value::array({expected[i]}) : Value()));
      CHECK(call.contains("extra_content") == (own && kind == "gemini"));
      if (own && kind == "gemini") CHECK(call["extra_content"]["google"]["thought_signature"] == "s");
    }
  }
}

TEST_CASE("Responses: an item's id names its stream and its place") {
  const auto place = parse_item_id("fc_abc_12");
  REQUIRE(place);
  CHECK(place->stream_id == "strm_abc");
  CHECK(place->number == 12);
  for (const auto* wrong : {"", "msg_", "msg_abc", "msg__1", "msg_abc_", "msg_abc_x", "item_abc_1", "msg_abc_1x",
                            "msg_abc_99999999999999999999999", "msg_abc_-1"}) {
    INFO(wrong);
    CHECK(!parse_item_id(wrong));
  }
}

}  // namespace
}  // namespace tokenrelay::surface
