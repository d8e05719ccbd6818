// What the anthropic kind asks, and what it cannot ask.
#include "service/upstream/anthropic/request.h"

#include "tests/upstream/anthropic/run.h"

using namespace tokenrelay;
using nlohmann::json;
namespace script = support::script;

namespace {

const json hi = {{{"role", "user"}, {"content", "hi"}}};

json body_of(const json& messages, const json& parameters = json::object()) {
  const auto body = upstream::anthropic_body({"claude", messages.dump(), parameters.dump(), "r"});
  INFO((body ? *body : body.error().field + ": " + body.error().why));
  REQUIRE(body);
  return json::parse(*body);
}

std::string refused_field(const json& messages, const json& parameters = json::object()) {
  const auto body = upstream::anthropic_body({"claude", messages.dump(), parameters.dump(), "r"});
  REQUIRE_FALSE(body);
  CHECK(!body.error().why.empty());
  return body.error().field;
}

json text_block(const std::string& text) {
  return {{"type", "text"}, {"text", text}};
}

}  // namespace

TEST_CASE("Messages: a turn becomes a request") {
  CHECK(body_of(hi) == json{{"model", "claude"},
                            {"max_tokens", 4096},
                            {"messages", {{{"role", "user"}, {"content", {text_block("hi")}}}}},
                            {"stream", true}});
  const json body = body_of(hi, {{"max_tokens", 10},
                                 {"max_completion_tokens", 20},
                                 {"temperature", 0.5},
                                 {"top_p", 0.9},
                                 {"top_k", 3},
                                 {"stop", "END"},
                                 {"user", "u1"},
                                 {"n", 1},
                                 {"logprobs", false},
                                 {"frequency_penalty", 0},
                                 {"response_format", {{"type", "text"}}},
                                 {"seed", nullptr}});
  CHECK(body["max_tokens"] == 20);
  CHECK(body["temperature"] == 0.5);
  CHECK(body["top_p"] == 0.9);
  CHECK(body["top_k"] == 3);
  CHECK(body["stop_sequences"] == json{"END"});
  CHECK(body["metadata"] == json{{"user_id", "u1"}});
  CHECK(body.size() == 9);
}

TEST_CASE("Messages: the conversation's turns alternate") {
  const json body =
      body_of({{{"role", "system"}, {"content", "Be brief."}},
               {{"role", "user"}, {"content", {text_block("a"), text_block("")}}},
               {{"role", "user"}, {"content", "b"}},
               {{"role", "assistant"},
                {"content", nullptr},
                {"tool_calls",
                 {{{"id", "call:1"}, {"type", "function"}, {"function", {{"name", "f"}, {"arguments", R"({"x":1})"}}}},
                  {{"id", "call_2"}, {"type", "function"}, {"function", {{"name", "g"}, {"arguments", ""}}}}}}},
               {{"role", "tool"}, {"tool_call_id", "call:1"}, {"content", "one"}},
               {{"role", "tool"}, {"tool_call_id", "call_2"}, {"content", ""}, {"is_error", true}},
               {{"role", "developer"}, {"content", "Be kind."}},
               {{"role", "user"}, {"content", "go on"}},
               {{"role", "assistant"}, {"content", "so"}},
               {{"role", "assistant"}, {"content", {{{"type", "refusal"}, {"refusal", "far"}}}}},
               {{"role", "user"}, {"content", ""}}});
  CHECK(body["system"] == json{text_block("Be brief."), text_block("Be kind.")});
  const json& turns = body["messages"];
  REQUIRE(turns.size() == 4);
  CHECK(turns[0] == json{{"role", "user"}, {"content", {text_block("a"), text_block("b")}}});
  CHECK(turns[1] == json{{"role", "assistant"},
                         {"content",
                          {{{"type", "tool_use"}, {"id", "call_1"}, {"name", "f"}, {"input", {{"x", 1}}}},
                           {{"type", "tool_use"}, {"id", "call_2"}, {"name", "g"}, {"input", json::object()}}}}});
  CHECK(turns[2] == json{{"role", "user"},
                         {"content",
                          {{{"type", "tool_result"}, {"tool_use_id", "call_1"}, {"content", {text_block("one")}}},
                           {{"type", "tool_result"}, {"tool_use_id", "call_2"}, {"is_error", true}},
                           text_block("go on")}}});
  CHECK(turns[3] == json{{"role", "assistant"}, {"content", {text_block("so"), text_block("far")}}});
}

TEST_CASE("Messages: parts of every kind that can be carried") {
  const json mark = {{"type", "ephemeral"}};
  const json user = {
      {"role", "user"},
      {"content",
       {{{"type", "text"}, {"text", "see"}, {"cache_control", mark}},
        {{"type", "image_url"}, {"image_url", {{"url", "data:image/png;base64,aGk="}}}},
        {{"type", "image_url"}, {"image_url", {{"url", "https://a/b.png"}}}},
        {{"type", "file"}, {"file", {{"file_data", "data:application/pdf;base64,JVBERg=="}, {"filename", "a.pdf"}}}},
        {{"type", "file"}, {"file", {{"file_data", "data:text/plain;base64,aGVsbG8gd8O2cmxk"}}}},
        {{"type", "file"}, {"file", {{"file_url", "https://a/b.pdf"}}}},
        {{"type", "file"}, {"file", {{"file_id", "file_1"}}}}}}};
  const json assistant = {{"role", "assistant"},
                          {"content",
                           {{{"type", "thinking"}, {"thinking", "hm"}, {"signature", "sig=="}},
                            {{"type", "thinking"}, {"thinking", "unsigned"}},
                            {{"type", "redacted_thinking"}, {"data", "red=="}},
                            {{"type", "reasoning"}, {"id", "rs_1"}, {"encrypted_content", "of another"}},
                            {{"type", "text"}, {"text", "ok"}}}},
                          {"reasoning_content", "shown once"}};
  const json tool = {{"role", "tool"},
                     {"tool_call_id", "t"},
                     {"content",
                      {{{"type", "image_url"}, {"image_url", {{"url", "https://a/c.png"}}}},
                       {{"type", "text"}, {"text", "r"}, {"cache_control", mark}}}}};
  const json turns = body_of({user, assistant, tool})["messages"];
  CHECK(turns[0]["content"] ==
        json{{{"type", "text"}, {"text", "see"}, {"cache_control", mark}},
             {{"type", "image"}, {"source", {{"type", "base64"}, {"media_type", "image/png"}, {"data", "aGk="}}}},
             {{"type", "image"}, {"source", {{"type", "url"}, {"url", "https://a/b.png"}}}},
             {{"type", "document"},
              {"source", {{"type", "base64"}, {"media_type", "application/pdf"}, {"data", "JVBERg=="}}},
              {"title", "a.pdf"}},
             {{"type", "document"},
              {"source", {{"type", "text"}, {"media_type", "text/plain"}, {"data", "hello w\xC3\xB6rld"}}}},
             {{"type", "document"}, {"source", {{"type", "url"}, {"url", "https://a/b.pdf"}}}},
             {{"type", "document"}, {"source", {{"type", "file"}, {"file_id", "file_1"}}}}});
  CHECK(turns[1]["content"] == json{{{"type", "thinking"}, {"thinking", "hm"}, {"signature", "sig=="}},
                                    {{"type", "redacted_thinking"}, {"data", "red=="}},
                                    text_block("ok")});
  CHECK(turns[2]["content"] ==
        json{{{"type", "tool_result"},
              {"tool_use_id", "t"},
              {"content",
               {{{"type", "image"}, {"source", {{"type", "url"}, {"url", "https://a/c.png"}}}}, text_block("r")}},
              {"cache_control", mark}}});
}

TEST_CASE("Messages: tools and how they may be used") {
  const json schema = {{"type", "object"}, {"properties", {{"x", {{"type", "number"}}}}}};
  const json tools = {
      {{"type", "function"},
       {"function", {{"name", "f"}, {"description", "does"}, {"parameters", schema}, {"strict", true}}}},
      {{"type", "function"}, {"function", {{"name", "g"}}}},
      {{"type", "web_search_20250305"}, {"name", "web_search"}}};
  CHECK(body_of(hi, {{"tools", tools}})["tools"] ==
        json{{{"name", "f"}, {"description", "does"}, {"input_schema", schema}, {"strict", true}},
             {{"name", "g"}, {"input_schema", {{"type", "object"}, {"properties", json::object()}}}},
             {{"type", "web_search_20250305"}, {"name", "web_search"}}});
  const auto choice = [&](const json& said, const json& parallel = nullptr) {
    return body_of(hi, {{"tools", tools}, {"tool_choice", said}, {"parallel_tool_calls", parallel}})
        .value("tool_choice", json());
  };
  CHECK(choice(nullptr) == json());
  CHECK(choice("auto") == json{{"type", "auto"}});
  CHECK(choice("none", false) == json{{"type", "none"}});
  CHECK(choice("required", true) == json{{"type", "any"}});
  CHECK(choice({{"type", "function"}, {"function", {{"name", "f"}}}}, false) ==
        json{{"type", "tool"}, {"name", "f"}, {"disable_parallel_tool_use", true}});
  CHECK(choice(nullptr, false) == json{{"type", "auto"}, {"disable_parallel_tool_use", true}});
  CHECK_FALSE(body_of(hi, {{"parallel_tool_calls", false}}).contains("tool_choice"));
}

TEST_CASE("Messages: reasoning_effort becomes a thinking budget") {
  const auto asked = [](const json& parameters) {
    const json body = body_of(hi, parameters);
    return std::pair(body["max_tokens"].get<int>(), body.value("thinking", json()));
  };
  const auto enabled = [](int budget) { return json{{"type", "enabled"}, {"budget_tokens", budget}}; };
  CHECK(asked({{"reasoning_effort", "none"}}) == std::pair(4096, json()));
  CHECK(asked({{"reasoning_effort", "minimal"}}) == std::pair(4096 + 1024, enabled(1024)));
  CHECK(asked({{"reasoning_effort", "high"}}) == std::pair(4096 + 16384, enabled(16384)));
  CHECK(asked({{"reasoning_effort", "high"}, {"max_tokens", 10000}}) == std::pair(10000, enabled(8000)));
  CHECK(asked({{"reasoning_effort", "low"}, {"max_tokens", 1100}}) == std::pair(1100, enabled(1024)));
  CHECK(refused_field(hi, {{"reasoning_effort", "low"}, {"max_tokens", 1024}}) == "parameters.reasoning_effort");
  CHECK(refused_field(hi, {{"reasoning_effort", "enormous"}}) == "parameters.reasoning_effort");
  const json exact = {{"type", "adaptive"}};
  CHECK(asked({{"reasoning_effort", "low"}, {"x_anthropic", {{"body", {{"thinking", exact}}}}}}) ==
        std::pair(4096, exact));
}

TEST_CASE("Messages: structured output and members of the dialect's own") {
  const json schema = {{"type", "object"}};
  const json format = {{"type", "json_schema"}, {"json_schema", {{"name", "n"}, {"schema", schema}}}};
  const json own = {{"body",
                     {{"container", "c1"},
                      {"output_config", {{"effort", "low"}}},
                      {"metadata", {{"more", 1}}},
                      {"max_tokens", 5},
                      {"tools", {{{"type", "bash_20250124"}, {"name", "bash"}}}}}}};
  const json body = body_of(hi, {{"response_format", format},
                                 {"user", "u"},
                                 {"tools", {{{"type", "function"}, {"function", {{"name", "g"}}}}}},
                                 {"x_anthropic", own}});
  CHECK(body["output_config"] == json{{"format", {{"type", "json_schema"}, {"schema", schema}}}, {"effort", "low"}});
  CHECK(body["metadata"] == json{{"user_id", "u"}, {"more", 1}});
  CHECK(body["container"] == "c1");
  CHECK(body["max_tokens"] == 5);
  REQUIRE(body["tools"].size() == 2);
  CHECK(body["tools"][1]["name"] == "bash");
}

TEST_CASE("Messages: what cannot be carried over is named") {
  const auto own = [](const json& members) { return json{{"x_anthropic", members}}; };
  const std::pair<json, std::string> parameters[] = {
      {{{"logit_bias", {{"1", 2}}}}, "parameters.logit_bias"},
      {{{"n", 2}}, "parameters.n"},
      {{{"logprobs", true}}, "parameters.logprobs"},
      {{{"seed", 1}}, "parameters.seed"},
      {{{"frequency_penalty", 0.1}}, "parameters.frequency_penalty"},
      {{{"response_format", {{"type", "json_object"}}}}, "parameters.response_format"},
      {{{"response_format", "json"}}, "parameters.response_format"},
      {{{"x_gemini", {{"body", {{"a", 1}}}}}}, "parameters.x_gemini"},
      {{{"x_responses", {{"body", {{"a", 1}}}}}}, "parameters.x_responses"},
      {{{"tools", {{{"type", "custom"}, {"custom", {{"name", "x"}}}}}}}, "parameters.tools[0]"},
      {{{"tool_choice", "sometimes"}}, "parameters.tool_choice"},
      {{{"parallel_tool_calls", "no"}}, "parameters.parallel_tool_calls"},
      {own("x"), "parameters.x_anthropic"},
      {own({{"extra", 1}}), "parameters.x_anthropic.extra"},
      {own({{"body", 1}}), "parameters.x_anthropic.body"},
      {own({{"body", {{"messages", json::array()}}}}), "parameters.x_anthropic.body.messages"},
      {own({{"headers", {{"x-api-key", "mine"}}}}), "parameters.x_anthropic.headers.x-api-key"},
      {own({{"headers", {{"anthropic-beta", "a\r\nb: c"}}}}), "parameters.x_anthropic.headers.anthropic-beta"}};
  for (const auto& [members, field] : parameters) {
    INFO(members.dump());
    CHECK(refused_field(hi, members) == field);
  }
  const auto message = [](const char* role, const json& part) {
    return json{{{"role", role}, {"content", {text_block("a"), part}}}};
  };
  const json image = {{"type", "image_url"}, {"image_url", {{"url", "https://a"}}}};
  const json audio = {{"type", "input_audio"}, {"input_audio", {{"data", "aGk="}, {"format", "wav"}}}};
  const json zip = {{"type", "file"}, {"file", {{"file_data", "data:application/zip;base64,aGk="}}}};
  const json bad = {{"type", "file"}, {"file", {{"file_data", "data:text/plain;base64,a*k="}}}};
  CHECK(refused_field(message("user", audio)) == "messages[0].content[1]");
  CHECK(refused_field(message("user", zip)) == "messages[0].content[1]");
  CHECK(refused_field(message("user", bad)) == "messages[0].content[1].file.file_data");
  CHECK(refused_field(message("assistant", image)) == "messages[0].content[1]");
  CHECK(refused_field(message("system", image)) == "messages[0].content[1]");
  CHECK(refused_field(message("user", {{"type", "thinking"}, {"thinking", "x"}, {"signature", "s"}})) ==
        "messages[0].content[1]");
  const json call = {{"id", "c"}, {"type", "function"}, {"function", {{"name", "f"}, {"arguments", "[1]"}}}};
  CHECK(refused_field({{{"role", "assistant"}, {"tool_calls", {call}}}}) ==
        "messages[0].tool_calls[0].function.arguments");
}

TEST_CASE("Messages: the wire, its address and its headers") {
  CHECK(upstream::anthropic_url("https://api.anthropic.com") == "https://api.anthropic.com/v1/messages");
  CHECK(upstream::anthropic_url("https://a/") == "https://a/v1/messages");
  CHECK(upstream::anthropic_url("https://a/v1") == "https://a/v1/messages");
  CHECK(upstream::anthropic_url("https://a/proxy/v1/") == "https://a/proxy/v1/messages");
  const std::string sse =
      anthropic_sse({R"({"type":"message_delta","delta":{"stop_reason":"refusal"}})", R"({"type":"message_stop"})"});
  const auto head_of = [&](AnthropicRun& run, const json& parameters) {
    run.server.answer(script::raw_stream(sse));
    run.run({"m", hi.dump(), parameters.dump(), "req_1"});
    REQUIRE_FALSE(run.recorder.outcome->failure);
    return run.server.call(0).head;
  };
  AnthropicRun plain;
  const std::string head = head_of(plain, json::object());
  CHECK(head.starts_with("POST /v1/messages HTTP/1.1\r\n"));
  CHECK(header_of(head, "x-api-key") == "sk-ant-secret");
  CHECK(header_of(head, "anthropic-version") == "2023-06-01");
  CHECK(header_of(head, "anthropic-beta") == "");
  CHECK(header_of(head, "Request-Id") == "req_1");
  CHECK(head.find("uthorization") == head.npos);
  AnthropicRun own;
  own.options.api_key = "";
  own.options.headers = {{"Anthropic-Beta", "of the configuration"}, {"x-team", "t"}};
  const std::string other =
      head_of(own, {{"x_anthropic", {{"headers", {{"anthropic-version", "2026-10-21"}, {"anthropic-beta", "a,b"}}}}}});
  CHECK(header_of(other, "anthropic-version") == "2026-10-21");
  CHECK(header_of(other, "Anthropic-Beta") == "of the configuration");
  CHECK(header_of(other, "anthropic-beta") == "");
  CHECK(header_of(other, "x-api-key") == "");
  CHECK(header_of(other, "x-team") == "t");
}

TEST_CASE("Messages: what the dialect does not support is named before anything is sent") {
  AnthropicRun run;
  const upstream::ModelRequest request = {"m", hi.dump(), R"({"seed":1})", "r"};
  const upstream::Prepared refused = run.model().prepare(request);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().field == "parameters.seed");
  CHECK(run.model().prepare({"m", hi.dump(), "", "r"}));
  CHECK(run.server.calls() == 0);
  CHECK(run.provider->kind() == "anthropic");
}
