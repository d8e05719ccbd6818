// Gemini requests in neutral words, what is refused by which name, and the way back into Gemini's own.
#include "service/upstream/gemini/request.h"

#include "service/surface/gemini/opaque.h"
#include "service/surface/gemini/request.h"
#include "tests/support/catch.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

Value parsed(const std::string& text) {
  const auto value = json::parse(text);
  INFO(text << (value ? "" : value.error().message));
  REQUIRE(value);
  return *value;
}

SurfaceRequest asked(const std::string& body, std::string_view kind = "openai") {
  const auto read = read_gemini_request(parsed(body), body, "m", kind);
  INFO(body << (read ? "" : read.error().param + ": " + read.error().message));
  REQUIRE(read);
  return *read;
}

std::string with_contents(const std::string& members) {
  return R"({"contents":[{"role":"user","parts":[{"text":"x"}]}],)" + members + "}";
}

Value messages_for(const std::string& contents, std::string_view kind = "openai") {
  return parsed(asked(R"({"contents":)" + contents + "}", kind).messages);
}

Value parameters_for(const std::string& members, std::string_view kind = "openai") {
  return parsed(asked(with_contents(members), kind).parameters);
}

std::string refused(const std::string& body, std::string_view kind = "openai") {
  const auto read = read_gemini_request(parsed(body), body, "m", kind);
  INFO(body);
  REQUIRE_FALSE(read);
  CHECK(read.error().status == 400);
  return read.error().param;
}

}  // namespace

TEST_CASE("Gemini request: turns") {
  struct Case {
    std::string contents, messages;
  };
  const std::vector<Case> cases = {
      {R"({"parts":{"text":"Hi"}})", R"([{"role":"user","content":"Hi"}])"},
      {R"([{"role":"user","parts":[{"text":"a"},{"text":"b"}]}])",
       R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}])"},
      {R"([{"role":"model","parts":[{"text":"hm","thought":true},{"text":"so","thoughtSignature":"s"}]},
           {"role":"user","parts":[{"text":"on"}]}])",
       R"([{"role":"assistant","content":"so"},{"role":"user","content":"on"}])"},
      {R"([{"parts":[{"inlineData":{"mimeType":"image/png","data":"aGk="}},
                     {"inline_data":{"mime_type":"audio/mpeg","data":"aGk="}},
                     {"inlineData":{"mimeType":"application/pdf","data":"aGk=","displayName":"a.pdf"}},
                     {"fileData":{"mimeType":"image/png","fileUri":"https://a/b"}},
                     {"fileData":{"mimeType":"video/mp4","fileUri":"https://a/c"}}]}])",
       R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk="}},
                                     {"type":"input_audio","input_audio":{"data":"aGk=","format":"mp3"}},
                                     {"type":"file","file":{"file_data":"data:application/pdf;base64,aGk=","filename":"a.pdf"}},
                                     {"type":"image_url","image_url":{"url":"https://a/b"}},
                                     {"type":"file","file":{"file_url":"https://a/c"}}]}])"}};
  for (const auto& [contents, messages] : cases) CHECK(messages_for(contents) == parsed(messages));
  const Value with_system = parsed(asked(with_contents(R"("systemInstruction":{"parts":[{"text":"Be"}]})")).messages);
  CHECK(with_system[0] == parsed(R"({"role":"system","content":"Be"})"));
}

TEST_CASE("Gemini request: calls and results find each other") {
  // By name and in order, where the client keeps no ids; other parts of the turn come after the results.
  const Value by_name = messages_for(R"([
      {"role":"model","parts":[{"functionCall":{"name":"f","args":{"n":1}}},{"functionCall":{"name":"g"}},
                               {"functionCall":{"name":"f","args":{"n":2}}}]},
      {"role":"user","parts":[{"text":"see"},{"functionResponse":{"name":"g","response":{"r":"g"}}},
                              {"functionResponse":{"name":"f","response":{"r":1}}},
                              {"functionResponse":{"name":"f","response":{"error":"boom"}}}]}])");
  CHECK(by_name == parsed(R"([
      {"role":"assistant","content":null,"tool_calls":[
        {"id":"call_0","type":"function","function":{"name":"f","arguments":"{\"n\":1}"}},
        {"id":"call_1","type":"function","function":{"name":"g","arguments":"{}"}},
        {"id":"call_2","type":"function","function":{"name":"f","arguments":"{\"n\":2}"}}]},
      {"role":"tool","tool_call_id":"call_1","name":"g","content":"{\"r\":\"g\"}"},
      {"role":"tool","tool_call_id":"call_0","name":"f","content":"{\"r\":1}"},
      {"role":"tool","tool_call_id":"call_2","name":"f","content":"{\"error\":\"boom\"}"},
      {"role":"user","content":"see"}])"));
  // The same id in every answer, as models count: each conversation has it once.
  const std::string turn =
      R"({"role":"model","parts":[{"functionCall":{"id":"call_0","name":"f"}}]},
         {"role":"user","parts":[{"functionResponse":{"id":"call_0","name":"f","response":{"error":"e"}}}]})";
  const Value twice = messages_for("[" + turn + "," + turn + "]", "anthropic");
  REQUIRE(twice.size() == 4);
  CHECK(twice[0]["tool_calls"][0]["id"] == "call_0");
  CHECK(twice[1]["tool_call_id"] == "call_0");
  CHECK(twice[1]["content"] == "e");
  CHECK(twice[1]["is_error"] == true);
  CHECK(twice[2]["tool_calls"][0]["id"] != "call_0");
  CHECK(twice[3]["tool_call_id"] == twice[2]["tool_calls"][0]["id"]);
}

TEST_CASE("Gemini request: what another provider wanted back goes to its kind alone") {
  const auto signed_by = [](const char* opaque) { return gemini_signature(parsed(opaque)); };
  const std::string thinking = signed_by(R"({"provider":"anthropic","type":"signature","data":"sig"})");
  const std::string redacted = signed_by(R"({"provider":"anthropic","type":"redacted_thinking","data":"red"})");
  const std::string item =
      signed_by(R"({"provider":"openai-responses","type":"encrypted_reasoning","data":"e","id":"rs_1"})");
  const std::string contents = R"([{"role":"model","parts":[{"text":"Let me ","thought":true}]},
      {"role":"model","parts":[{"text":"see.","thought":true},{"text":"","thought":true,"thoughtSignature":")" +
                               thinking + R"("},{"text":"","thought":true,"thoughtSignature":")" + redacted +
                               R"("},{"text":"","thought":true,"thoughtSignature":")" + item + R"("}]},
      {"role":"model","parts":[{"text":"So "}]},{"role":"model","parts":[{"text":"be it."}]},
      {"role":"model","parts":[{"functionCall":{"id":"i","name":"f"},"thoughtSignature":"own"}]},
      {"role":"model","parts":[{"text":""}]}])";
  const auto turn = [&](std::string_view kind) {
    const Value messages = messages_for(contents, kind);
    REQUIRE(messages.size() == 1);
    REQUIRE(messages[0]["tool_calls"].size() == 1);
    CHECK(messages[0]["tool_calls"][0].contains("extra_content") == (kind == "gemini"));
    return messages[0]["content"];
  };
  CHECK(turn("openai") == "So be it.");
  CHECK(turn("gemini") == "So be it.");
  CHECK(turn("anthropic") == parsed(R"([{"type":"thinking","thinking":"Let me see.","signature":"sig"},
      {"type":"redacted_thinking","data":"red"},{"type":"text","text":"So be it."}])"));
  CHECK(turn("openai-responses") == parsed(R"([{"type":"reasoning","id":"rs_1","encrypted_content":"e","summary":[]},
      {"type":"text","text":"So be it."}])"));
}

TEST_CASE("Gemini request: generationConfig and tools in neutral words") {
  const Value plain = parameters_for(
      R"("generation_config":{"temperature":0.5,"topP":0.9,"topK":40.0,"maxOutputTokens":9,"stopSequences":["E"],"seed":1,
         "presencePenalty":0.1,"frequencyPenalty":0.2,"candidateCount":1,"responseModalities":["TEXT"],
         "responseMimeType":"application/json","thinkingConfig":{"thinkingBudget":4000,"includeThoughts":true}})");
  CHECK(plain == parsed(R"({"temperature":0.5,"top_p":0.9,"top_k":40,"max_completion_tokens":9,"stop":["E"],"seed":1,
      "presence_penalty":0.1,"frequency_penalty":0.2,"reasoning_effort":"medium","response_format":{"type":"json_object"}})"));
  const Value schema = parameters_for(
      R"("generationConfig":{"responseSchema":{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"enum":["a"]},
         "n":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"1"}},"required":["type"],"propertyOrdering":["type"]}})");
  CHECK(schema["response_format"]["json_schema"]["schema"] ==
        parsed(R"({"type":"object","properties":{"type":{"type":["string","null"],"enum":["a",null]},
                   "n":{"type":"array","items":{"type":"integer"},"minItems":1}},"required":["type"]})"));
  const std::string functions =
      R"("tools":[{"functionDeclarations":[{"name":"f","parametersJsonSchema":{"type":"object"}},{"name":"g"},{"name":"h"}]}])";
  const auto choice = [&](const std::string& calling) {
    return parameters_for(functions + R"(,"toolConfig":{"functionCallingConfig":{)" + calling + "}}");
  };
  CHECK(choice(R"("mode":"AUTO")")["tool_choice"] == "auto");
  CHECK(choice(R"("mode":"NONE")")["tool_choice"] == "none");
  CHECK(choice(R"("mode":"ANY","allowedFunctionNames":["g"])")["tool_choice"]["function"]["name"] == "g");
  const Value some = choice(R"("mode":"ANY","allowedFunctionNames":["h","f"])");
  CHECK(some["tool_choice"] == "required");
  CHECK(some["tools"].size() == 2);
  CHECK(choice(R"("mode":"VALIDATED")")["tools"][0]["function"]["strict"] == true);
}

TEST_CASE("Gemini request: what cannot be carried over is named as the client names it") {
  const std::pair<std::string, std::string> cases[] = {
      {R"("safetySettings":[{}])", "safetySettings"},
      {R"("cached_content":"c")", "cachedContent"},
      {R"("model":"models/other")", "model"},
      {R"("tools":[{"googleSearch":{}}])", "tools[0].googleSearch"},
      {R"("tools":[{"functionDeclarations":[{"description":"x"}]}])", "tools[0].functionDeclarations[0].name"},
      {R"("tools":[{"functionDeclarations":[{"name":"f","behavior":"NON_BLOCKING"}]}])",
       "tools[0].functionDeclarations[0].behavior"},
      {R"("toolConfig":{"retrievalConfig":{"a":1}})", "toolConfig.retrievalConfig"},
      {R"("toolConfig":{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["f"]}})",
       "toolConfig.functionCallingConfig.allowedFunctionNames[0]"},
      {R"("toolConfig":{"functionCallingConfig":{"mode":"SOMETIMES"}})", "toolConfig.functionCallingConfig.mode"},
      {R"("generationConfig":{"candidateCount":2})", "generationConfig.candidateCount"},
      {R"("generationConfig":{"mediaResolution":"LOW"})", "generationConfig.mediaResolution"},
      {R"("generationConfig":{"responseMimeType":"text/x.enum"})", "generationConfig.responseMimeType"}};
  for (const auto& [members, field] : cases) CHECK(refused(with_contents(members)) == field);
  const std::pair<std::string, std::string> contents[] = {
      {"[]", "contents"},
      {"[1]", "contents[0]"},
      {R"([{"role":"tool","parts":[]}])", "contents[0].role"},
      {R"([{"parts":[{"text":1}]}])", "contents[0].parts[0].text"},
      {R"([{"parts":[{"text":"a"},{"executableCode":{"code":"x"}}]}])", "contents[0].parts[1].executableCode"},
      {R"([{"parts":[{"fileData":{"fileUri":"x"},"videoMetadata":{"fps":1}}]}])", "contents[0].parts[0].videoMetadata"},
      {R"([{"parts":[{"functionResponse":{"name":"f","response":{}}}]}])", "contents[0].parts[0].functionResponse"},
      {R"([{"role":"model","parts":[{"functionCall":{"args":{}}}]}])", "contents[0].parts[0].functionCall.name"}};
  for (const auto& [turns, field] : contents) CHECK(refused(R"({"contents":)" + turns + "}") == field);
  CHECK(gemini_field("parameters.x_gemini.body.safetySettings") == "safetySettings");
  CHECK(gemini_field("parameters.top_k") == "generationConfig.topK");
  CHECK(gemini_field("parameters.reasoning_effort") == "generationConfig.thinkingConfig");
  CHECK(gemini_field("messages[1].content[0]") == "contents");
}

TEST_CASE("Gemini request: to Gemini's own kind and back, nothing is lost") {
  const std::string body = R"({
      "systemInstruction":{"parts":[{"text":"Be brief."}]},
      "contents":[
        {"role":"user","parts":[{"text":"a"},{"fileData":{"mimeType":"video/webm","fileUri":"https://a/b"}}]},
        {"role":"model","parts":[{"text":"so","thoughtSignature":"s1"},
          {"functionCall":{"name":"f","args":{"x":1},"id":"i1"},"thoughtSignature":"s2"}]},
        {"role":"user","parts":[{"functionResponse":{"name":"f","response":{"r":[1]},"id":"i1"}}]}],
      "tools":[{"functionDeclarations":[{"name":"f","description":"d","parametersJsonSchema":{"type":"object"}}]},
               {"googleSearch":{}}],
      "toolConfig":{"functionCallingConfig":{"mode":"AUTO"},"retrievalConfig":{"languageCode":"de"}},
      "generationConfig":{"maxOutputTokens":9,"stopSequences":["E"],"temperature":0.5,"responseMimeType":"application/json",
        "responseJsonSchema":{"type":"object"},"thinkingConfig":{"thinkingLevel":"LOW"},"mediaResolution":"MEDIA_RESOLUTION_LOW"},
      "safetySettings":[{"category":"C","threshold":"OFF"}],"cachedContent":"cachedContents/1"})";
  const SurfaceRequest neutral = asked(body, "gemini");
  const auto back = upstream::gemini_body({"gemini-2.5-pro", neutral.messages, neutral.parameters, "r"});
  INFO((back ? *back : back.error().field));
  REQUIRE(back);
  CHECK(nlohmann::json::parse(*back) == nlohmann::json::parse(body));  // whatever the order
}

}  // namespace tokenrelay::surface
