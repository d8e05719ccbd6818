// What the gemini kind asks, and what it cannot ask.
#include "service/upstream/gemini/request.h"

#include "tests/upstream/gemini/run.h"

using namespace tokenrelay;
using nlohmann::json;
namespace script = support::script;

namespace {

const json hi = {{{"role", "user"}, {"content", "hi"}}};

json body_of(const json& messages, const json& parameters = json::object(),
             const std::string& model = "gemini-2.5-pro") {
  const auto body = upstream::gemini_body({model, messages.dump(), parameters.dump(), "r"});
  INFO((body ? *body : body.error().field + ": " + body.error().why));
  REQUIRE(body);
  return json::parse(*body);
}

std::string refused_field(const json& messages, const json& parameters = json::object(),
                          const std::string& model = "gemini-2.5-pro") {
  const auto body = upstream::gemini_body({model, messages.dump(), parameters.dump(), "r"});
  REQUIRE_FALSE(body);
  CHECK(!body.error().why.empty());
  return body.error().field;
}

json call(const char* id, const char* name, const char* arguments, const char* signature = nullptr) {
  json made = {{"id", id}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments}}}};
  if (signature) made["extra_content"] = {{"google", {{"thought_signature", signature}}}};
  return made;
}

json calls(const std::vector<json>& made) {
  return {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", made}};
}

json result(const char* id, const json& content) {
  return {{"role", "tool"}, {"tool_call_id", id}, {"content", content}};
}

json turn(const char* role, const std::vector<json>& parts) {
  return {{"role", role}, {"parts", parts}};
}

json text(const char* said) {
  return {{"text", said}};
}

}  // namespace

TEST_CASE("Gemini: a turn becomes a request") {
  CHECK(body_of(hi) == json{{"contents", {turn("user", {text("hi")})}}});
  const json schema = {{"type", "object"}};
  const json body =
      body_of(hi, {{"max_tokens", 10},
                   {"max_completion_tokens", 20},
                   {"temperature", 0.5},
                   {"top_p", 0.9},
                   {"top_k", 3},
                   {"seed", 7},
                   {"presence_penalty", 0.1},
                   {"frequency_penalty", 0.2},
                   {"stop", "END"},
                   {"n", 1},
                   {"logprobs", false},
                   {"logit_bias", json::object()},
                   {"parallel_tool_calls", true},
                   {"response_format", {{"type", "json_schema"}, {"json_schema", {{"name", "n"}, {"schema", schema}}}}},
                   {"reasoning_effort", "low"},
                   {"user", nullptr}});
  CHECK(body["generationConfig"] == json{{"maxOutputTokens", 20},
                                         {"stopSequences", {"END"}},
                                         {"temperature", 0.5},
                                         {"topP", 0.9},
                                         {"topK", 3},
                                         {"seed", 7},
                                         {"presencePenalty", 0.1},
                                         {"frequencyPenalty", 0.2},
                                         {"responseMimeType", "application/json"},
                                         {"responseJsonSchema", schema},
                                         {"thinkingConfig", {{"thinkingBudget", 1024}, {"includeThoughts", true}}}});
  CHECK(body.size() == 2);
  CHECK(body_of(hi, {{"response_format", {{"type", "json_object"}}}})["generationConfig"] ==
        json{{"responseMimeType", "application/json"}});
  CHECK_FALSE(body_of(hi, {{"response_format", {{"type", "text"}}}}).contains("generationConfig"));
}

TEST_CASE("Gemini: the conversation's turns") {
  const json body =
      body_of({{{"role", "system"}, {"content", "Be brief."}},
               {{"role", "user"}, {"content", {{{"type", "text"}, {"text", "a"}}, {{"type", "text"}, {"text", ""}}}}},
               {{"role", "user"}, {"content", "b"}},
               calls({call("c1", "f", R"({"x":1})", "sig1"), call("c2", "g", "")}),
               result("c2", R"({"deep":{"y":2}})"),
               result("c1", "plain"),
               {{"role", "user"}, {"content", "go on"}},
               {{"role", "developer"}, {"content", "Be kind."}},
               calls({call("c1", "other", "{}")}),
               {{"role", "tool"}, {"tool_call_id", "c1"}, {"content", "boom"}, {"is_error", true}},
               {{"role", "tool"}, {"tool_call_id", "gone"}, {"name", "h"}, {"content", "[1]"}},
               {{"role", "assistant"},
                {"content",
                 {{{"type", "thinking"}, {"thinking", "hm"}, {"signature", "of another"}},
                  {{"type", "text"}, {"text", "so"}, {"extra_content", {{"google", {{"thought_signature", "sig2"}}}}}},
                  {{"type", "refusal"}, {"refusal", "far"}}}}}});
  CHECK(body["systemInstruction"] == json{{"parts", {text("Be brief."), text("Be kind.")}}});
  const json& turns = body["contents"];
  REQUIRE(turns.size() == 7);
  CHECK(turns[0] == turn("user", {text("a"), text("b")}));
  CHECK(turns[1] == turn("model", {{{"functionCall", {{"id", "c1"}, {"name", "f"}, {"args", {{"x", 1}}}}},
                                    {"thoughtSignature", "sig1"}},
                                   {{"functionCall", {{"id", "c2"}, {"name", "g"}, {"args", json::object()}}}}}));
  CHECK(turns[2] ==
        turn("user", {{{"functionResponse", {{"id", "c2"}, {"name", "g"}, {"response", {{"deep", {{"y", 2}}}}}}}},
                      {{"functionResponse", {{"id", "c1"}, {"name", "f"}, {"response", {{"result", "plain"}}}}}}}));
  CHECK(turns[3] == turn("user", {text("go on")}));
  CHECK(turns[4] == turn("model", {{{"functionCall", {{"id", "c1"}, {"name", "other"}, {"args", json::object()}}}}}));
  CHECK(turns[5] ==
        turn("user", {{{"functionResponse", {{"id", "c1"}, {"name", "other"}, {"response", {{"error", "boom"}}}}}},
                      {{"functionResponse", {{"id", "gone"}, {"name", "h"}, {"response", {{"result", "[1]"}}}}}}}));
  CHECK(turns[6] == turn("model", {{{"text", "so"}, {"thoughtSignature", "sig2"}}, text("far")}));
}

TEST_CASE("Gemini 3: a turn's first call has a signature, and be it the placeholder") {
  const json history = {hi[0], calls({call("c1", "f", "{}"), call("c2", "g", "{}")}), result("c1", "1"),
                        result("c2", "2"), calls({call("c3", "h", "{}", "mine"), call("c4", "i", "{}")})};
  const auto signatures = [&](const std::string& model) {
    std::vector<std::string> found;
    const json body = body_of(history, json::object(), model);
    for (const json& said : body["contents"]) {
      for (const json& part : said["parts"]) {
        if (part.contains("functionCall")) found.push_back(part.value("thoughtSignature", ""));
      }
    }
    return found;
  };
  const std::string placeholder = "skip_thought_signature_validator";
  CHECK(signatures("gemini-3-pro-preview") == std::vector<std::string>{placeholder, "", "mine", ""});
  CHECK(signatures("models/gemini-3.1-flash") == std::vector<std::string>{placeholder, "", "mine", ""});
  CHECK(signatures("gemini-2.5-pro") == std::vector<std::string>{"", "", "mine", ""});
}

TEST_CASE("Gemini: parts of every kind that can be carried") {
  const json user = {{"role", "user"},
                     {"content",
                      {{{"type", "image_url"}, {"image_url", {{"url", "data:image/png;base64,aGk="}}}},
                       {{"type", "image_url"}, {"image_url", {{"url", "https://a/b.jpeg?c=d.png"}}}},
                       {{"type", "input_audio"}, {"input_audio", {{"data", "aGk="}, {"format", "wav"}}}},
                       {{"type", "file"}, {"file", {{"file_data", "data:application/pdf;base64,JVBERg=="}}}},
                       {{"type", "file"}, {"file", {{"file_url", "https://a/unknown"}}}},
                       {{"type", "file"}, {"file", {{"file_id", "gs://bucket/film.mp4"}}}}}}};
  CHECK(body_of(json::array({user}))["contents"][0]["parts"] ==
        json{{{"inlineData", {{"mimeType", "image/png"}, {"data", "aGk="}}}},
             {{"fileData", {{"mimeType", "image/jpeg"}, {"fileUri", "https://a/b.jpeg?c=d.png"}}}},
             {{"inlineData", {{"mimeType", "audio/wav"}, {"data", "aGk="}}}},
             {{"inlineData", {{"mimeType", "application/pdf"}, {"data", "JVBERg=="}}}},
             {{"fileData", {{"fileUri", "https://a/unknown"}}}},
             {{"fileData", {{"mimeType", "video/mp4"}, {"fileUri", "gs://bucket/film.mp4"}}}}});
  const json picture = {{"type", "image_url"}, {"image_url", {{"url", "data:image/png;base64,aGk="}}}};
  const json seen =
      body_of({calls({call("c", "f", "{}")}), result("c", {{{"type", "text"}, {"text", "see"}}, picture})});
  CHECK(seen["contents"][1]["parts"][0]["functionResponse"] ==
        json{{"id", "c"},
             {"name", "f"},
             {"response", {{"result", "see"}}},
             {"parts", {{{"inlineData", {{"mimeType", "image/png"}, {"data", "aGk="}}}}}}});
}

TEST_CASE("Gemini: tools and how they may be used") {
  const json schema = {{"type", "object"}, {"properties", {{"x", {{"type", "number"}}}}}};
  const auto tools = [&](bool strict) {
    return json{{{"type", "function"},
                 {"function", {{"name", "f"}, {"description", "does"}, {"parameters", schema}, {"strict", strict}}}},
                {{"type", "function"}, {"function", {{"name", "g"}}}}};
  };
  const json body = body_of(hi, {{"tools", tools(false)}});
  CHECK(
      body["tools"] ==
      json::array({{{"functionDeclarations",
                     {{{"name", "f"}, {"description", "does"}, {"parametersJsonSchema", schema}}, {{"name", "g"}}}}}}));
  CHECK_FALSE(body.contains("toolConfig"));
  const auto choice = [&](const json& said, bool strict = false) {
    return body_of(hi, {{"tools", tools(strict)}, {"tool_choice", said}})["toolConfig"]["functionCallingConfig"];
  };
  CHECK(choice("auto") == json{{"mode", "AUTO"}});
  CHECK(choice("none") == json{{"mode", "NONE"}});
  CHECK(choice("required") == json{{"mode", "ANY"}});
  CHECK(choice({{"type", "function"}, {"function", {{"name", "f"}}}}) ==
        json{{"mode", "ANY"}, {"allowedFunctionNames", {"f"}}});
  CHECK(choice("auto", true) == json{{"mode", "VALIDATED"}});
  CHECK(choice(nullptr, true) == json{{"mode", "VALIDATED"}});
  CHECK(choice("none", true) == json{{"mode", "NONE"}});
}

TEST_CASE("Gemini: reasoning_effort becomes a budget, or a level") {
  const auto thinking = [](const char* effort, const char* model) {
    return body_of(hi, {{"reasoning_effort", effort}}, model)["generationConfig"]["thinkingConfig"];
  };
  CHECK(thinking("none", "gemini-2.5-flash") == json{{"thinkingBudget", 0}});
  CHECK(thinking("high", "gemini-2.5-flash") == json{{"thinkingBudget", 24576}, {"includeThoughts", true}});
  CHECK(thinking("medium", "gemini-3-flash") == json{{"thinkingLevel", "medium"}, {"includeThoughts", true}});
  CHECK(refused_field(hi, {{"reasoning_effort", "none"}}, "gemini-3-flash") == "parameters.reasoning_effort");
  CHECK(refused_field(hi, {{"reasoning_effort", "enormous"}}) == "parameters.reasoning_effort");
}

TEST_CASE("Gemini: members of the dialect's own") {
  const json own = {{"body",
                     {{"safetySettings", {{{"category", "HARM_CATEGORY_HARASSMENT"}, {"threshold", "OFF"}}}},
                      {"cachedContent", "cachedContents/1"},
                      {"generationConfig",
                       {{"topK", 5},
                        {"candidateCount", 1},
                        {"responseModalities", {"TEXT"}},
                        {"thinkingConfig", {{"includeThoughts", false}}}}},
                      {"toolConfig", {{"retrievalConfig", {{"languageCode", "de"}}}}},
                      {"tools", {{{"googleSearch", json::object()}}}}}}};
  const json body = body_of(hi, {{"temperature", 1},
                                 {"reasoning_effort", "low"},
                                 {"tool_choice", "none"},
                                 {"tools", {{{"type", "function"}, {"function", {{"name", "g"}}}}}},
                                 {"x_gemini", own}});
  CHECK(body["safetySettings"] == own["body"]["safetySettings"]);
  CHECK(body["cachedContent"] == "cachedContents/1");
  CHECK(body["generationConfig"] == json{{"temperature", 1},
                                         {"topK", 5},
                                         {"candidateCount", 1},
                                         {"responseModalities", {"TEXT"}},
                                         {"thinkingConfig", {{"thinkingBudget", 1024}, {"includeThoughts", false}}}});
  CHECK(body["toolConfig"] ==
        json{{"functionCallingConfig", {{"mode", "NONE"}}}, {"retrievalConfig", {{"languageCode", "de"}}}});
  REQUIRE(body["tools"].size() == 2);
  CHECK(body["tools"][1] == json{{"googleSearch", json::object()}});
}

TEST_CASE("Gemini: what cannot be carried over is named") {
  const auto own = [](const char* name, const json& value) { return json{{"x_gemini", {{"body", {{name, value}}}}}}; };
  const std::string body = "parameters.x_gemini.body.";
  const std::pair<json, std::string> parameters[] = {
      {{{"logit_bias", {{"1", 2}}}}, "parameters.logit_bias"},
      {{{"n", 2}}, "parameters.n"},
      {{{"logprobs", true}}, "parameters.logprobs"},
      {{{"parallel_tool_calls", false}}, "parameters.parallel_tool_calls"},
      {{{"user", "u"}}, "parameters.user"},
      {{{"response_format", "json"}}, "parameters.response_format"},
      {{{"response_format", {{"type", "json_schema"}}}}, "parameters.response_format.json_schema.schema"},
      {{{"x_anthropic", {{"body", {{"a", 1}}}}}}, "parameters.x_anthropic"},
      {{{"x_responses", {{"body", {{"a", 1}}}}}}, "parameters.x_responses"},
      {{{"tools", {{{"type", "custom"}, {"custom", {{"name", "x"}}}}}}}, "parameters.tools[0]"},
      {{{"tool_choice", "sometimes"}}, "parameters.tool_choice"},
      {{{"x_gemini", "x"}}, "parameters.x_gemini"},
      {{{"x_gemini", {{"headers", json::object()}}}}, "parameters.x_gemini.headers"},
      {own("contents", json::array()), body + "contents"},
      {own("generationConfig", {{"responseLogprobs", true}}), body + "generationConfig.responseLogprobs"},
      {own("generationConfig", {{"candidateCount", 2}}), body + "generationConfig.candidateCount"},
      {own("generationConfig", {{"responseModalities", {"TEXT", "IMAGE"}}}),
       body + "generationConfig.responseModalities"},
      {own("toolConfig", {{"functionCallingConfig", {{"streamFunctionCallArguments", true}}}}),
       body + "toolConfig.functionCallingConfig.streamFunctionCallArguments"}};
  for (const auto& [members, field] : parameters) {
    INFO(members.dump());
    CHECK(refused_field(hi, members) == field);
  }
  const auto message = [](const char* role, const json& part) {
    return json{{{"role", role}, {"content", {{{"type", "text"}, {"text", "a"}}, part}}}};
  };
  const json image = {{"type", "image_url"}, {"image_url", {{"url", "https://a"}}}};
  const json id = {{"type", "file"}, {"file", {{"file_id", "file-1"}}}};
  const json untyped = {{"type", "image_url"}, {"image_url", {{"url", "data:;base64,aGk="}}}};
  CHECK(refused_field(message("system", image)) == "messages[0].content[1]");
  CHECK(refused_field(message("user", id)) == "messages[0].content[1].file.file_id");
  CHECK(refused_field(message("user", untyped)) == "messages[0].content[1]");
  CHECK(refused_field({hi[0], result("nobody's", "x")}) == "messages[1].tool_call_id");
  CHECK(refused_field(json::array({calls({call("c", "f", "[1]")})})) == "messages[0].tool_calls[0].function.arguments");
  for (const char* model : {"", "/etc", "a/../../v1/files", ".."}) {
    INFO(model);
    CHECK(refused_field(hi, json::object(), model) == "model");
  }
}

TEST_CASE("Gemini: the wire, its address and its headers") {
  const std::string root = "https://generativelanguage.googleapis.com", method = ":streamGenerateContent?alt=sse";
  CHECK(upstream::gemini_url(root, "gemini-3") == root + "/v1beta/models/gemini-3" + method);
  CHECK(upstream::gemini_url(root + "/", "models/gemini-3") == root + "/v1beta/models/gemini-3" + method);
  CHECK(upstream::gemini_url("https://a/v1beta/", "m") == "https://a/v1beta/models/m" + method);
  CHECK(upstream::gemini_url("https://a/v1", "tunedModels/m") == "https://a/v1/tunedModels/m" + method);
  CHECK(upstream::gemini_url("https://a/v1/publishers/google", "m") ==
        "https://a/v1/publishers/google/models/m" + method);
  CHECK(upstream::gemini_url("https://a", "x/y?key=\xC3\xA9:z") ==
        "https://a/v1beta/models/x/y%3Fkey%3D%C3%A9%3Az" + method);
  const std::string sse = gemini_sse({gemini_parts(json::array({text("ok")}), "STOP")});
  const auto head_of = [&](GeminiRun& run) {
    run.server.answer(script::raw_stream(sse));
    run.run({"g/m", hi.dump(), "", "req_1"});
    REQUIRE_FALSE(run.recorder.outcome->failure);
    return run.server.call(0).head;
  };
  GeminiRun plain;
  const std::string head = head_of(plain);
  CHECK(head.starts_with("POST /v1/models/g/m:streamGenerateContent?alt=sse HTTP/1.1\r\n"));
  CHECK(header_of(head, "x-goog-api-key") == "AIza-secret");
  CHECK(header_of(head, "Request-Id") == "req_1");
  CHECK(header_of(head, "X-Request-Id") == "req_1");
  CHECK(head.find("uthorization") == head.npos);
  GeminiRun own;
  own.options.headers = {{"X-Goog-Api-Key", "of the configuration"}, {"x-team", "t"}};
  const std::string other = head_of(own);
  CHECK(header_of(other, "X-Goog-Api-Key") == "of the configuration");
  CHECK(header_of(other, "x-goog-api-key") == "");
  CHECK(header_of(other, "x-team") == "t");
}

TEST_CASE("Gemini: what the dialect does not support is named before anything is sent") {
  GeminiRun run;
  const upstream::ModelRequest request = {"m", hi.dump(), R"({"logit_bias":{"1":1}})", "r"};
  const upstream::Prepared refused = run.model().prepare(request);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().field == "parameters.logit_bias");
  CHECK(run.model().prepare({"m", hi.dump(), "", "r"}));
  CHECK(run.server.calls() == 0);
  CHECK(run.provider->kind() == "gemini");
}
