// The Gemini surface's chunks: what each event of the log becomes, as events and as an array, merged or not.
#include <random>

#include "service/surface/gemini/opaque.h"
#include "tests/support/catch.h"
#include "tests/surface/gemini/events.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using storage::EventKind;

std::string joined_text(const std::vector<Value>& chunks, bool thoughts) {
  std::string text;
  for (const auto& part : parts_of(chunks)) {
    if (part.contains("text") && part.contains("thought") == thoughts) text += part["text"].get<std::string>();
  }
  return text;
}

Value calls_of(const std::vector<Value>& chunks) {
  Value calls = Value::array();
  for (const auto& part : parts_of(chunks)) {
    if (part.contains("functionCall")) calls.push_back(part);
  }
  return calls;
}

}  // namespace

TEST_CASE("Gemini encoder: an answer") {
  const auto chunks = gemini_told(
      {{EventKind::start, R"({"model":"m"})"},
       {EventKind::reasoning, "hm"},
       {EventKind::steer, R"({"content":"c"})"},
       {EventKind::text, "a \"b\"\n"},
       {EventKind::upstream, R"({"reason":"seam"})"},
       gemini_done("completed", R"(,"finish_reason":"stop","usage":{"input_tokens":7,"output_tokens":5})")});
  REQUIRE(chunks.size() == 3);
  CHECK(chunks[0] ==
        json::parse(R"({"candidates":[{"content":{"parts":[{"text":"hm","thought":true}],"role":"model"},"index":0}],
                                     "modelVersion":"m","responseId":"id"})")
            .value());
  CHECK(chunks[1]["candidates"][0]["content"]["parts"][0] == Value{{"text", "a \"b\"\n"}});
  CHECK(chunks[2]["candidates"][0]["finishReason"] == "STOP");
  CHECK(chunks[2]["usageMetadata"] ==
        Value{{"promptTokenCount", 7}, {"candidatesTokenCount", 5}, {"totalTokenCount", 12}});
}

TEST_CASE("Gemini encoder: calls side by side are told whole, with their signatures") {
  const std::vector<GeminiLogEvent> log = {
      {EventKind::text, "I look."},
      gemini_call(0, "{\"a\":"),
      gemini_call(1, ""),
      {EventKind::opaque, R"({"provider":"gemini","type":"thought_signature","data":"s0","index":0})"},
      gemini_call(0, " 1\n}"),
      {EventKind::opaque, R"({"provider":"anthropic","type":"signature","data":"x"})"},
      gemini_done("completed", R"(,"finish_reason":"tool_calls")")};
  const auto chunks = gemini_told(log);
  REQUIRE(chunks.size() == 3);
  const Value held = parts_of(chunks)[3];  // Anthropic's, after the calls
  CHECK(held["thought"] == true);
  CHECK(foreign_opaque_of(held["thoughtSignature"]) == json::parse(log[5].payload).value());
  CHECK(calls_of(chunks) ==
        json::parse(R"([{"functionCall":{"id":"c0","name":"f","args":{"a":1}},"thoughtSignature":"s0"},
                        {"functionCall":{"id":"c1","name":"f","args":{}}}])")
            .value());
  CHECK(chunks[2]["candidates"][0]["finishReason"] == "STOP");
  CHECK_FALSE(chunks[2].contains("usageMetadata"));
  // Text ends the wait of a whole call, and a signature of no call stands on an empty text.
  const auto text_after =
      gemini_told({gemini_call(0, "{}"),
                   {EventKind::text, "so"},
                   {EventKind::opaque, R"({"provider":"gemini","type":"thought_signature","data":"s"})"}});
  REQUIRE(text_after.size() == 3);
  CHECK(parts_of(text_after)[0].contains("functionCall"));
  CHECK(parts_of(text_after)[2] == Value{{"text", ""}, {"thoughtSignature", "s"}});
}

TEST_CASE("Gemini encoder: a call that is not whole waits, whatever is said meanwhile") {
  const auto chunks = gemini_told({gemini_call(0, ""),
                                   {EventKind::text, "a"},
                                   gemini_call(1, "{\"y\":"),
                                   {EventKind::reasoning, "b"},
                                   gemini_call(0, "{\"x\":1}"),
                                   {EventKind::text, "c"},
                                   gemini_call(1, "2}"),
                                   {EventKind::text, "d"},
                                   gemini_call(2, ""),
                                   gemini_done("completed", R"(,"finish_reason":"tool_calls")")});
  const auto parts = parts_of(chunks);
  CHECK(joined_text(chunks, false) == "acd");
  CHECK(joined_text(chunks, true) == "b");
  REQUIRE(parts.size() == 8);  // the last is the empty text of the end
  CHECK(parts[2] == json::parse(R"({"functionCall":{"id":"c0","name":"f","args":{"x":1}}})").value());
  CHECK(parts[4] == json::parse(R"({"functionCall":{"id":"c1","name":"f","args":{"y":2}}})").value());
  CHECK(parts[6] == json::parse(R"({"functionCall":{"id":"c2","name":"f","args":{}}})").value());
  CHECK(chunks.back()["candidates"][0]["finishReason"] == "STOP");
  const auto more = gemini_told({gemini_call(0, "{}"),
                                 {EventKind::text, "a"},
                                 gemini_call(0, "{}"),
                                 gemini_done("completed", R"(,"finish_reason":"tool_calls")")});
  CHECK(calls_of(more).size() == 1);
  CHECK(more.back()["candidates"][0]["finishReason"] == "MALFORMED_FUNCTION_CALL");
}

TEST_CASE("Gemini encoder: ends") {
  const auto reason = [](const std::string& status, const std::string& more, bool bad_call = false) {
    std::vector<GeminiLogEvent> log = {{EventKind::text, "x"}};
    if (bad_call) log.push_back(gemini_call(0, "{\"half\":"));
    log.push_back(gemini_done(status, more));
    const auto chunks = gemini_told(log);
    CHECK(calls_of(chunks).empty());
    return chunks.back()["candidates"][0].value("finishReason", "");
  };
  CHECK(reason("completed", R"(,"finish_reason":"length")") == "MAX_TOKENS");
  CHECK(reason("completed", R"(,"finish_reason":"content_filter")") == "SAFETY");
  CHECK(reason("completed", R"(,"finish_reason":"other")") == "OTHER");
  CHECK(reason("cancelled", "") == "OTHER");
  CHECK(reason("completed", R"(,"finish_reason":"tool_calls")", true) == "MALFORMED_FUNCTION_CALL");
  CHECK(reason("completed", R"(,"finish_reason":"length")", true) == "MAX_TOKENS");
  const auto failed =
      gemini_told({{EventKind::text, "x"},
                   gemini_call(0, "{}"),
                   gemini_done("failed", R"(,"error":{"code":"upstream_rate_limited","message":"slow"})")});
  CHECK(failed.back() == Value{{"error", Value{{"code", 429}, {"message", "slow"}, {"status", "RESOURCE_EXHAUSTED"}}}});
}

TEST_CASE("Gemini encoder: the array is one JSON value, and the same chunks; the framing is strict") {
  const std::vector<GeminiLogEvent> logs[] = {
      {{EventKind::text, "a"}, gemini_call(0, "{}"), gemini_done("completed", R"(,"finish_reason":"stop")")},
      {gemini_done("failed", R"(,"error":{"code":"upstream_error","message":"m"})")}};
  for (const auto& log : logs) {
    const auto array = json::parse(gemini_bytes(log, true));
    REQUIRE(array);
    const auto chunks = gemini_told(log);
    REQUIRE(array->size() == chunks.size());
    for (size_t i = 0; i < chunks.size(); ++i) CHECK((*array)[i] == chunks[i]);
    const std::string events = gemini_bytes(log, false);
    for (size_t at = 0; at < events.size(); at = events.find("\n\n", at) + 2) CHECK(events.substr(at, 7) == "data: {");
    CHECK(events.find("\n\n\n") == events.npos);
  }
}

TEST_CASE("Gemini encoder: merging changes no word, and the whole answer says the same") {
  const unsigned seed = Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 200; ++round) {
    const auto log = gemini_random_log(random);
    const auto plain = gemini_told(log), merged = gemini_told(gemini_merged(log, random));
    CHECK(joined_text(plain, false) == joined_text(merged, false));
    CHECK(joined_text(plain, true) == joined_text(merged, true));
    CHECK(calls_of(plain) == calls_of(merged));
    CHECK(plain.back() == merged.back());
    Transcript transcript;
    for (const auto& event : log) transcript.add(event.kind, event.payload);
    const std::vector<Value> whole = {json::parse(gemini_response({"id", "m"}, transcript)).value()};
    CHECK(joined_text(plain, false) == joined_text(whole, false));
    CHECK(joined_text(plain, true) == joined_text(whole, true));
    CHECK(calls_of(plain).size() == calls_of(whole).size());
    CHECK(plain.back()["candidates"][0]["finishReason"] == whole[0]["candidates"][0]["finishReason"]);
  }
}

}  // namespace tokenrelay::surface
