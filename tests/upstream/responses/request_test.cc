// What a neutral request becomes in the words of Responses, and what has none there (DIALECTS.md, Responses: request).
#include "service/upstream/responses/request.h"

#include "tests/upstream/responses/run.h"

using namespace tokenrelay;
using Json = nlohmann::json;

namespace {

Json body_of(const std::string& messages, const std::string& parameters = "") {
  const auto request = upstream::responses_request({"m", messages, parameters, "r"}, false);
  INFO((request ? "" : request.error().field + ": " + request.error().why));
  REQUIRE(request);
  return Json::parse(request->body);
}

std::string refused_field(const std::string& messages, const std::string& parameters = "") {
  const auto request = upstream::responses_request({"m", messages, parameters, "r"}, false);
  return request ? "" : request.error().field;
}

const char* const hi = R"([{"role":"user","content":"hi"}])";

}  // namespace

TEST_CASE("messages become items of a Responses input") {
  const Json body = body_of(R"([
    {"role":"system","content":"Be kind."},{"role":"developer","content":[{"type":"text","text":"Be brief."}]},
    {"role":"user","content":[{"type":"text","text":"look"},
      {"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA","detail":"low"}},
      {"type":"file","file":{"file_data":"data:application/pdf;base64,BBBB","filename":"a.pdf"}},
      {"type":"input_audio","input_audio":{"data":"CCCC","format":"wav"}}]},
    {"role":"assistant","content":[{"type":"reasoning","id":"rs_1","encrypted_content":"xyz"},
      {"type":"thinking","thinking":"another's","signature":"s"},{"type":"text","text":"calling"}],
      "tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}}]},
    {"role":"tool","tool_call_id":"c1","content":"42"},
    {"role":"assistant","content":[{"type":"text","text":"a"},{"type":"refusal","refusal":"no"}]},
    {"role":"system","content":"later"}])");
  CHECK(body["instructions"] == "Be kind.\n\nBe brief.");
  CHECK(body["stream"] == true);
  CHECK(body["model"] == "m");
  CHECK(body["input"] == Json::parse(R"([
    {"type":"message","role":"user","content":[{"type":"input_text","text":"look"},
      {"type":"input_image","image_url":"data:image/png;base64,AAAA","detail":"low"},
      {"type":"input_file","file_data":"data:application/pdf;base64,BBBB","filename":"a.pdf"},
      {"type":"input_audio","input_audio":{"data":"CCCC","format":"wav"}}]},
    {"type":"reasoning","id":"rs_1","encrypted_content":"xyz","summary":[]},
    {"type":"message","role":"assistant","content":"calling"},
    {"type":"function_call","call_id":"c1","name":"f","arguments":"{\"a\":1}"},
    {"type":"function_call_output","call_id":"c1","output":"42"},
    {"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"},
      {"type":"refusal","refusal":"no"}]},
    {"type":"message","role":"system","content":"later"}])"));
}

TEST_CASE("parameters get the names that Responses has for them") {
  const Json body = body_of(hi, R"({"max_tokens":7,"max_completion_tokens":9,"temperature":0.5,"top_p":0.1,
    "user":"u","metadata":{"a":"b"},"store":true,"service_tier":"flex","parallel_tool_calls":false,"logprobs":true,
    "top_logprobs":2,"reasoning_effort":"low","verbosity":"high","presence_penalty":0,"seed":null,
    "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"},"strict":true}},
    "tools":[{"type":"function","function":{"name":"f","description":"d","parameters":{"type":"object"}}},
             {"type":"web_search"},{"type":"custom","custom":{"name":"g"}}],
    "tool_choice":{"type":"function","function":{"name":"f"}},
    "x_responses":{"body":{"truncation":"auto","reasoning":{"summary":"auto"},"include":["x"],
                           "tools":[{"type":"mcp"}]}}})");
  Json expected = Json::parse(R"({"model":"m","stream":true,"max_output_tokens":9,"temperature":0.5,"top_p":0.1,
    "user":"u","metadata":{"a":"b"},"store":true,"service_tier":"flex","parallel_tool_calls":false,"top_logprobs":2,
    "reasoning":{"effort":"low","summary":"auto"},"truncation":"auto",
    "include":["message.output_text.logprobs","x"],
    "text":{"verbosity":"high","format":{"type":"json_schema","name":"n","schema":{"type":"object"},"strict":true}},
    "tools":[{"type":"function","name":"f","description":"d","parameters":{"type":"object"},"strict":false},
             {"type":"web_search"},{"type":"custom","name":"g"},{"type":"mcp"}],
    "tool_choice":{"type":"function","name":"f"},
    "input":[{"type":"message","role":"user","content":"hi"}]})");
  CHECK(body == expected);
}

TEST_CASE("what Responses has no words for is named") {
  for (const char* name : {"stop", "seed", "frequency_penalty", "top_k", "prediction", "x_anthropic", "x_gemini",
                           "invented", "web_search_options"}) {
    INFO(name);
    const std::string value = std::string(name) == "stop" ? "\"x\"" : "1";
    CHECK(refused_field(hi, "{\"" + std::string(name) + "\":" + value + "}") == "parameters." + std::string(name));
  }
  CHECK(refused_field(hi, R"({"logit_bias":{"1":2}})") == "parameters.logit_bias");
  CHECK(refused_field(hi, R"({"n":2})") == "parameters.n");
  CHECK(refused_field(hi, R"({"response_format":{"type":"grammar"}})") == "parameters.response_format");
  CHECK(refused_field(hi, R"({"tools":[{"type":"local_shell"}]})") == "parameters.tools[0]");
  CHECK(refused_field(hi, R"({"x_responses":{"body":{"stream":false}}})") == "parameters.x_responses.body.stream");
  CHECK(refused_field(hi, R"({"x_responses":{"headers":{"a":"b"}}})") == "parameters.x_responses.headers");
  CHECK(refused_field(R"([{"role":"assistant","content":[{"type":"text","text":"a"},
      {"type":"image_url","image_url":{"url":"https://x/y"}}]}])") == "messages[0].content[1].type");
  CHECK(refused_field(R"([{"role":"user","content":[{"type":"file","file":{"filename":"a"}}]}])") ==
        "messages[0].content[0].file");
  CHECK(refused_field(R"([{"role":"user","name":"bob","content":"hi"}])") == "messages[0].name");
}

TEST_CASE("Responses: what the dialect does not support is named before anything is sent") {
  ResponsesRun run;
  const upstream::ModelRequest request{"m", hi, R"({"seed":1})", "r"};
  const upstream::Prepared refused = run.model().prepare(request);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().field == "parameters.seed");
  CHECK(run.model().prepare({"m", hi, "", "r"}));
  CHECK(run.server.calls() == 0);
}
