// What the gemini kind makes of a stream: parts, calls, signatures, ends and errors.
#include "tests/upstream/gemini/run.h"

using namespace tokenrelay;
using nlohmann::json;
using upstream::ErrorCode;
using upstream::FinishReason;
namespace script = support::script;

namespace {

const json text_part = {{"text", "so far"}};
const json call_part = {{"functionCall", {{"name", "f"}, {"args", {{"a", 1}}}}}};

Recorder document(const std::string& body, bool whole = true) {
  const std::string sent = script::head(200, "application/json") + script::chunk(body);
  if (whole) return gemini_result({script::send(sent + script::last_chunk)});
  return gemini_result({script::send(sent), script::pause(20), script::cut()});
}

json error_of(int code, const char* status, const json& details = json::array()) {
  return {{"error", {{"code", code}, {"message", "AIza-secret said"}, {"status", status}, {"details", details}}}};
}

const json retry_info = {{"@type", "type.googleapis.com/google.rpc.RetryInfo"}, {"retryDelay", "2.5s"}};
const json key_invalid = {{"@type", "type.googleapis.com/google.rpc.ErrorInfo"}, {"reason", "API_KEY_INVALID"}};

}  // namespace

TEST_CASE("Gemini: text, thoughts, calls and signatures in their order") {
  const Recorder got = gemini_events(
      {gemini_parts({{{"text", "hm"}, {"thought", true}}, {{"text", "Let me "}}}),
       gemini_parts({{{"inlineData", {{"mimeType", "image/png"}, {"data", "aGk="}}}}, {{"text", "see."}}}),
       gemini_parts(
           {{{"functionCall", {{"id", "fc_1"}, {"name", "f"}, {"args", {{"x", "y"}}}}}, {"thoughtSignature", "s1"}},
            {{"functionCall", {{"name", "g"}}}}}),
       R"({"candidates":[{"index":1,"content":{"parts":[{"text":"another candidate"}]},"finishReason":"SAFETY"}]})",
       gemini_parts({{{"functionCall", json::object()}}, {{"text", ""}, {"thoughtSignature", "s2\"/+="}}}),
       R"({"candidates":[{"finishReason":"STOP","index":0}],"modelVersion":"m"})",
       R"({"usageMetadata":{"promptTokenCount":4,"toolUsePromptTokenCount":2,"candidatesTokenCount":3,"thoughtsTokenCount":2,)"
       R"("cachedContentTokenCount":1,"promptTokensDetails":[{"modality":"TEXT","tokenCount":1},{"modality":"AUDIO",)"
       R"("tokenCount":3}],"candidatesTokensDetails":[{"tokenCount":2,"modality":"AUDIO"}]}})"});
  REQUIRE_FALSE(got.outcome->failure);
  CHECK(got.text == "Let me see.");
  CHECK(got.reasoning == "hm");
  REQUIRE(got.tools.size() == 2);
  CHECK(got.tools[0].id == "fc_1");
  CHECK(got.tools[0].arguments == R"({"x":"y"})");
  CHECK(got.tools[1].id.empty());
  CHECK(got.tools[1].name == "g");
  CHECK(got.tools[1].arguments == "{}");
  REQUIRE(got.opaque.size() == 2);
  CHECK(got.opaque[0] == R"({"provider":"gemini","type":"thought_signature","data":"s1","index":0})");
  CHECK(got.opaque[1] == R"({"provider":"gemini","type":"thought_signature","data":"s2\"/+="})");
  CHECK(got.outcome->finish_reason == FinishReason::tool_calls);
  CHECK(got.outcome->usage.input_tokens == 6u);
  CHECK(got.outcome->usage.output_tokens == 5u);
  CHECK(got.outcome->usage.cached_tokens == 1u);
  CHECK(got.outcome->usage.reasoning_tokens == 2u);
  CHECK(got.outcome->usage.audio_input_tokens == 3u);
  CHECK(got.outcome->usage.audio_output_tokens == 2u);
}

TEST_CASE("Gemini: a character cut in two is joined, arguments stay valid UTF-8") {
  const Recorder got = gemini_events({R"({"candidates":[{"content":{"parts":[{"text":"\ud83d"}]}}]})",
                                      R"({"candidates":[{"content":{"parts":[{"text":"\ude00"}]}}]})",
                                      "{\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\","
                                      "\"args\":{\"a\":\"\xC3\"}}}]},\"finishReason\":\"STOP\"}]}"});
  CHECK(got.text == "\xF0\x9F\x98\x80");
  CHECK(got.tools.at(0).arguments == "{\"a\":\"\xEF\xBF\xBD\"}");
  const Recorder lone =
      gemini_events({R"({"candidates":[{"content":{"parts":[{"text":"\ud83d"}]},"finishReason":"STOP"}]})"});
  CHECK(lone.text == "\xEF\xBF\xBD");
}

TEST_CASE("Gemini: finish reasons") {
  const std::tuple<const char*, FinishReason, const char*> cases[] = {
      {"STOP", FinishReason::stop, ""},
      {"MAX_TOKENS", FinishReason::length, ""},
      {"SAFETY", FinishReason::content_filter, ""},
      {"RECITATION", FinishReason::content_filter, ""},
      {"BLOCKLIST", FinishReason::content_filter, ""},
      {"PROHIBITED_CONTENT", FinishReason::content_filter, ""},
      {"SPII", FinishReason::content_filter, ""},
      {"IMAGE_SAFETY", FinishReason::content_filter, ""},
      {"MALFORMED_FUNCTION_CALL", FinishReason::other, "MALFORMED_FUNCTION_CALL"},
      {"OTHER", FinishReason::other, "OTHER"}};
  for (const auto& [raw, reason, said] : cases) {
    INFO(raw);
    const Recorder got = gemini_events({gemini_parts(json::array({text_part})), gemini_parts(json::array(), raw)});
    REQUIRE_FALSE(got.outcome->failure);
    CHECK(got.outcome->finish_reason == reason);
    CHECK(got.outcome->finish_reason_raw == said);
  }
  const Recorder failed = gemini_events({gemini_parts(json::array({text_part}), "INTERNAL_ERROR")});
  CHECK(failure_of(failed).message == "the upstream stopped with the reason INTERNAL_ERROR");
  const Recorder calls = gemini_events({gemini_parts(json::array({call_part}), "MAX_TOKENS")});
  CHECK(calls.outcome->finish_reason == FinishReason::length);
  const Recorder blocked = gemini_events(
      {R"({"promptFeedback":{"blockReason":"SAFETY","safetyRatings":[]},"usageMetadata":{"promptTokenCount":7}})"});
  REQUIRE_FALSE(blocked.outcome->failure);
  CHECK(blocked.outcome->finish_reason == FinishReason::content_filter);
  CHECK(blocked.outcome->usage.input_tokens == 7u);
  CHECK_FALSE(blocked.outcome->usage.output_tokens);
}

TEST_CASE("Gemini: an end without a finish reason is none") {
  const std::string so_far = gemini_sse({gemini_parts(json::array({text_part}))});
  const Recorder clean = gemini_result(script::raw_stream(so_far));
  CHECK(failure_of(clean).code == ErrorCode::upstream_truncated);
  CHECK(clean.text == "so far");
  const Recorder reset =
      gemini_result({script::send(script::head() + script::chunk(so_far)), script::pause(20), script::cut()});
  CHECK(failure_of(reset).code == ErrorCode::upstream_truncated);
  CHECK(failure_of(gemini_result(script::raw_stream(so_far + "data: {\"candi"))).code == ErrorCode::upstream_truncated);
  CHECK(failure_of(gemini_events({})).code == ErrorCode::upstream_truncated);
  const std::string reasoned = so_far + gemini_sse({gemini_parts(json::array(), "FINISH_REASON_UNSPECIFIED")});
  CHECK(failure_of(gemini_result(script::raw_stream(reasoned))).code == ErrorCode::upstream_truncated);
}

TEST_CASE("Gemini: after a finish reason every end is one") {
  const std::string stream = gemini_sse({gemini_parts(json::array({text_part}), "STOP")});
  const std::string sent = script::head() + script::chunk(stream);
  const support::Script ends[] = {
      {script::send(sent), script::stall()},
      {script::send(sent), script::pause(20), script::cut()},
      // The last event without its blank line, and marks of other schools.
      script::raw_stream(stream.substr(0, stream.size() - 2)),
      script::raw_stream(stream + script::done + gemini_sse({gemini_parts(json::array({text_part}))})),
      script::raw_stream(stream + "data: alive\n\n")};
  for (const auto& end : ends) {
    const Recorder got = gemini_result(end);
    REQUIRE(got.outcome);
    CHECK_FALSE(got.outcome->failure);
    CHECK(got.text == "so far");
  }
  CHECK(failure_of(gemini_result(script::raw_stream(std::string(script::done)))).code == ErrorCode::upstream_truncated);
}

TEST_CASE("Gemini: white space before the first event means nothing, however the reads cut it") {
  const std::string body = script::head() +
                           script::chunk(" \r\n\t " + gemini_sse({gemini_parts(json::array({text_part}), "STOP")})) +
                           script::last_chunk;
  for (const Recorder& got : {gemini_result({script::send(body)}), gemini_result({script::send_every_byte(body)})}) {
    CHECK_FALSE(got.outcome->failure);
    CHECK(got.text == "so far");
  }
}

TEST_CASE("Gemini: a finish reason with every chunk ends nothing") {
  const auto chunk_of = [](const char* text, const char* reason) {
    return script::chunk(gemini_sse({gemini_parts(text ? json::array({{{"text", text}}}) : json::array(), reason)}));
  };
  const Recorder before = gemini_result({script::send(script::head() + chunk_of(nullptr, "STOP")), script::pause(600),
                                         script::send(chunk_of("late", "STOP") + script::last_chunk)});
  CHECK_FALSE(before.outcome->failure);
  CHECK(before.text == "late");
  const Recorder every = gemini_result({script::send(script::head() + chunk_of("a", "STOP")), script::pause(50),
                                        script::send(chunk_of("b", "STOP")), script::pause(600),
                                        script::send(chunk_of("c", "STOP")), script::pause(20), script::cut()});
  CHECK_FALSE(every.outcome->failure);
  CHECK(every.text == "abc");
  const Recorder lifted = gemini_result({script::send(script::head() + chunk_of("a", "STOP") + chunk_of("b", nullptr)),
                                         script::pause(20), script::cut()});
  CHECK(failure_of(lifted).code == ErrorCode::upstream_truncated);
}

TEST_CASE("Gemini: an empty answer is one only where its reason or its count explains it") {
  const auto ended = [](const char* reason, const json& parts, int tokens, const json& more = json::object()) {
    json chunk = json::parse(gemini_parts(parts, reason));
    chunk["candidates"][0].update(more);
    chunk["usageMetadata"] = {{"promptTokenCount", 3}, {"candidatesTokenCount", tokens}};
    return gemini_events({chunk.dump()});
  };
  const json nothing = json::array();
  for (const char* reason : {"MAX_TOKENS", "SAFETY"}) CHECK_FALSE(ended(reason, nothing, 0).outcome->failure);
  CHECK_FALSE(ended("STOP", nothing, 4).outcome->failure);
  CHECK(failure_of(ended("STOP", nothing, 0)).code == ErrorCode::upstream_empty);
  CHECK(failure_of(ended("STOP", {{{"functionCall", json::object()}}}, 0)).code == ErrorCode::upstream_empty);
  for (const char* reason : {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"}) {
    INFO(reason);
    const auto failure = failure_of(ended(reason, nothing, 4, {{"finishMessage", "what it did"}}));
    CHECK(failure.code == ErrorCode::upstream_error);
    CHECK(failure.message.find(reason) != std::string::npos);
    CHECK(failure.message.find("what it did") != std::string::npos);
    CHECK_FALSE(ended(reason, json::array({text_part}), 4).outcome->failure);
  }
  const json image = {{"inlineData", {{"mimeType", "image/png"}, {"data", "aGk="}}}};
  const json code = {{"executableCode", {{"language", "PYTHON"}, {"code", "1"}}}};
  for (const auto& [part, name] : {std::pair(image, "inlineData"), std::pair(code, "executableCode")}) {
    INFO(name);
    const auto failure = failure_of(ended("STOP", json::array({part}), 4));
    CHECK(failure.message.find(name) != std::string::npos);
    CHECK_FALSE(failure.retryable);
    CHECK(ended("STOP", {part, text_part}, 4).text == "so far");
  }
  const json grounded = {{"groundingMetadata", {{"webSearchQueries", {"x"}}}}};
  CHECK(failure_of(ended("STOP", nothing, 4, grounded)).message.find("grounding") != std::string::npos);
  CHECK_FALSE(ended("STOP", json::array({text_part}), 4, grounded).outcome->failure);
}

TEST_CASE("Gemini: arguments as a text, calls without a name, responses in a wrapper") {
  const auto call = [](const json& members) {
    return gemini_events({gemini_parts(json::array({{{"functionCall", members}}}), "STOP")});
  };
  const std::pair<json, const char*> arguments[] = {
      {"{\"a\":1}", "{\"a\":1}"}, {nullptr, "{}"}, {"", "{}"}, {{1, 2}, "[1,2]"}};
  for (const auto& [args, said] : arguments) CHECK(call({{"name", "f"}, {"args", args}}).tools.at(0).arguments == said);
  const Recorder nameless = call({{"args", {{"a", 1}}}});
  CHECK(failure_of(nameless).code == ErrorCode::upstream_protocol);
  CHECK(nameless.tools.empty());
  const Recorder wrapped =
      gemini_events({R"({"response":)" + gemini_parts(json::array({text_part}), "STOP") + R"(,"traceId":"t"})"});
  CHECK(wrapped.text == "so far");
  CHECK_FALSE(wrapped.outcome->failure);
}

TEST_CASE("Gemini: counts are not taken back by a zero") {
  const auto counted = [](const std::vector<json>& reports) {
    std::vector<std::string> chunks = {gemini_parts(json::array({text_part}), "STOP")};
    for (const json& usage : reports) chunks.push_back(json{{"usageMetadata", usage}}.dump());
    return gemini_events(chunks).outcome->usage;
  };
  const auto halves = counted({{{"promptTokenCount", 30}, {"cachedContentTokenCount", 9}, {"candidatesTokenCount", 0}},
                               {{"promptTokenCount", 0}, {"candidatesTokenCount", 4}, {"thoughtsTokenCount", "2"}},
                               {{"promptTokenCount", 0}, {"candidatesTokenCount", 0}, {"thoughtsTokenCount", 0}}});
  CHECK(halves.input_tokens == 30u);
  CHECK(halves.output_tokens == 6u);
  CHECK(halves.cached_tokens == 9u);
  CHECK(halves.reasoning_tokens == 2u);
  CHECK_FALSE(counted({{{"promptTokenCount", 0}}}).input_tokens);
}

TEST_CASE("Gemini: what is no error, and errors without the usual frame") {
  for (const char* nothing : {"null", "false", "\"\"", "{}", "[]"}) {
    INFO(nothing);
    std::string chunk = gemini_parts(json::array({text_part}), "STOP");
    chunk.insert(1, std::string(R"("error":)") + nothing + ',');
    const Recorder got = gemini_events({"null", chunk});
    CHECK_FALSE(got.outcome->failure);
    CHECK(got.text == "so far");
  }
  const std::string so_far = gemini_sse({gemini_parts(json::array({text_part}))});
  const std::pair<const char*, ErrorCode> errors[] = {
      {"event: error\r\ndata: {\"message\":\"its words\",\"code\":503}\r\n\r\n", ErrorCode::upstream_overloaded},
      {"event: error\r\ndata: its words\r\n\r\n", ErrorCode::upstream_error},
      {"data: {\"error\":\"its words\"}\r\n\r\n", ErrorCode::upstream_error},
      {"data: {\"code\":429,\"message\":\"its words\"}\r\n\r\n", ErrorCode::upstream_rate_limited},
      {"data: {\"candidates\":[{\"error\":{\"code\":503,\"message\":\"its "
       "words\"},\"finishReason\":\"STOP\"}]}\r\n\r\n",
       ErrorCode::upstream_overloaded},
      {"data: [{\"error\":{\"code\":503,\"message\":\"its words\"}}]\r\n\r\n", ErrorCode::upstream_overloaded},
      {"{\r\n  \"error\": {\r\n    \"code\": 429,\r\n    \"message\": \"its words\"\r\n  }\r\n}\r\n",
       ErrorCode::upstream_rate_limited}};
  for (const auto& [event, code] : errors) {
    INFO(event);
    const Recorder got = gemini_result(script::raw_stream(so_far + event));
    CHECK(got.text == "so far");
    CHECK(failure_of(got).code == code);
    CHECK(failure_of(got).message == "its words");
  }
}

TEST_CASE("Gemini: errors in the stream and under status 200") {
  const std::tuple<int, const char*, ErrorCode, bool> cases[] = {
      {429, "RESOURCE_EXHAUSTED", ErrorCode::upstream_rate_limited, true},
      {503, "UNAVAILABLE", ErrorCode::upstream_overloaded, true},
      {500, "INTERNAL", ErrorCode::upstream_error, true},
      {504, "DEADLINE_EXCEEDED", ErrorCode::upstream_error, true},
      {499, "CANCELLED", ErrorCode::upstream_error, false},
      {400, "INVALID_ARGUMENT", ErrorCode::upstream_bad_request, false},
      {403, "PERMISSION_DENIED", ErrorCode::upstream_auth, false}};
  for (const auto& [code, status, failure, retryable] : cases) {
    INFO(status);
    const std::string payload = error_of(code, status).dump();
    for (const Recorder& got : {gemini_events({gemini_parts(json::array({text_part})), payload, "never read"}),
                                document(payload), document("[" + payload + "]")}) {
      CHECK(failure_of(got).code == failure);
      CHECK(failure_of(got).retryable == retryable);
      if (failure != ErrorCode::upstream_auth) CHECK(failure_of(got).message == "*** said");
    }
  }
  json unnumbered = error_of(0, "RESOURCE_EXHAUSTED", json::array({retry_info}));
  unnumbered["error"].erase("code");
  const auto limited = failure_of(gemini_events({unnumbered.dump()}));
  CHECK(limited.code == ErrorCode::upstream_rate_limited);
  CHECK(limited.retry_after_ms == 2500);
}

TEST_CASE("Gemini: refusals by status") {
  const auto refused = [](int status, const json& body) {
    return failure_of(gemini_result(script::refusal(status, body.dump())));
  };
  const auto limited = refused(429, error_of(429, "RESOURCE_EXHAUSTED", json::array({retry_info})));
  CHECK(limited.code == ErrorCode::upstream_rate_limited);
  CHECK(limited.retry_after_ms == 2500);
  CHECK(limited.retryable);
  CHECK(limited.message == "*** said");
  const auto wrapped = refused(429, json::array({error_of(429, "RESOURCE_EXHAUSTED", json::array({retry_info}))}));
  CHECK(wrapped.retry_after_ms == 2500);
  CHECK(wrapped.message == "*** said");
  CHECK(refused(400, error_of(400, "INVALID_ARGUMENT")).code == ErrorCode::upstream_bad_request);
  const auto bad_key = refused(400, error_of(400, "INVALID_ARGUMENT", json::array({key_invalid})));
  CHECK(bad_key.code == ErrorCode::upstream_auth);
  CHECK_FALSE(bad_key.retryable);
  CHECK(bad_key.message == "the upstream refused the relay's credential");
  json by_message = error_of(400, "INVALID_ARGUMENT");
  by_message["error"]["message"] = "API key not valid. Please pass a valid API key.";
  CHECK(refused(400, by_message).code == ErrorCode::upstream_auth);
  CHECK(refused(404, error_of(404, "NOT_FOUND")).code == ErrorCode::upstream_bad_request);
  CHECK(refused(503, error_of(503, "UNAVAILABLE")).code == ErrorCode::upstream_overloaded);
  CHECK(refused(503, error_of(503, "UNAVAILABLE")).retryable);
}

TEST_CASE("Gemini: answers that are no stream, and no answers") {
  const std::string whole = gemini_parts({text_part, call_part}, "STOP");
  const Recorder object = document(whole);
  REQUIRE_FALSE(object.outcome->failure);
  CHECK(object.text == "so far");
  CHECK(object.outcome->finish_reason == FinishReason::tool_calls);
  const std::string unfinished = gemini_parts(json::array({text_part}));
  CHECK(failure_of(document(unfinished)).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(document("[]")).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(document("[" + whole)).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(document("[" + whole, false)).code == ErrorCode::upstream_truncated);
  CHECK(failure_of(document("<html>")).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(gemini_events({"no json"})).code == ErrorCode::upstream_protocol);
}

TEST_CASE("Gemini: calls in pieces and parts beyond the bounds end the call") {
  const json begun = {{"functionCall", {{"name", "f"}, {"willContinue", true}}}};
  const json piece = {
      {"functionCall", {{"partialArgs", {{{"jsonPath", "$.a"}, {"stringValue", "x"}}}}, {"willContinue", false}}}};
  CHECK(failure_of(gemini_events({gemini_parts(json::array({begun}))})).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(gemini_events({gemini_parts(json::array({piece}))})).code == ErrorCode::upstream_protocol);
  const json huge = {{"text", ""}, {"thoughtSignature", std::string((1 << 20) + 1, 's')}};
  CHECK(failure_of(gemini_events({gemini_parts(json::array({huge}), "STOP")})).code == ErrorCode::upstream_protocol);
  const Recorder many = gemini_events({gemini_parts(json(std::vector<json>(1025, call_part)), "STOP")});
  CHECK(failure_of(many).code == ErrorCode::upstream_protocol);
  CHECK(many.tools.size() == 1024);
}

TEST_CASE("Gemini: a handler may destroy the call inside any callback") {
  const json parts = {{{"text", "hm"}, {"thought", true}},
                      {{"functionCall", {{"name", "f"}}}, {"thoughtSignature", "s"}},
                      {{"text", "a"}, {"thoughtSignature", "t"}}};
  const std::string whole = gemini_parts(parts, "STOP");
  check_destroyed_in_any_callback<GeminiRun>(script::raw_stream(gemini_sse({whole})), 6);
  check_destroyed_in_any_callback<GeminiRun>(
      {script::send(script::head(200, "application/json") + script::chunk("[" + whole + "]") + script::last_chunk)}, 6);
}
