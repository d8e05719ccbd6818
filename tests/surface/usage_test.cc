// What an answer cost, in each protocol's words: no part of it may be counted twice, or at another price.
#include "service/surface/anthropic/encoder.h"
#include "service/surface/chat/encoder.h"
#include "service/surface/gemini/chunk.h"
#include "tests/support/catch.h"
#include "tests/surface/responses/events.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

constexpr const char* detailed =
    R"({"status":"completed","finish_reason":"stop","stop_sequence":"END","usage":{"input_tokens":100,)"
    R"("output_tokens":50,"cached_input_tokens":80,"cache_write_tokens":5,"audio_input_tokens":2,"reasoning_tokens":40,)"
    R"("audio_output_tokens":3,"source":"provider"}})";

Value parsed(const char* text) {
  return json::parse(text).value();
}

Value responses_usage(const std::string& done) {
  return told({start_event(), {storage::EventKind::done, done}}).back()["response"]["usage"];
}

}  // namespace

TEST_CASE("the parts of a usage reach each surface") {
  const Done done = read_done(detailed);
  CHECK(chat_usage(done) == parsed(R"({"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
      "prompt_tokens_details":{"cached_tokens":80,"cache_write_tokens":5,"audio_tokens":2},
      "completion_tokens_details":{"reasoning_tokens":40,"audio_tokens":3}})"));
  CHECK(responses_usage(detailed) == parsed(R"({"input_tokens":100,
      "input_tokens_details":{"cached_tokens":80,"cache_write_tokens":5},"output_tokens":50,
      "output_tokens_details":{"reasoning_tokens":40},"total_tokens":150})"));
  // What the caches took is no part of the input here, and thoughts are none of the candidates there.
  CHECK(anthropic_usage(done) == parsed(R"({"input_tokens":15,"output_tokens":50,"cache_creation_input_tokens":5,
      "cache_read_input_tokens":80,"output_tokens_details":{"thinking_tokens":40},"server_tool_use":null})"));
  CHECK(parsed(gemini_usage(done).c_str()) == parsed(R"({"promptTokenCount":100,"candidatesTokenCount":10,
      "totalTokenCount":150,"thoughtsTokenCount":40,"cachedContentTokenCount":80})"));
}

TEST_CASE("a part that a provider counts higher than the whole gives no number below zero") {
  const Done done =
      read_done(R"({"status":"completed","finish_reason":"stop","usage":{"input_tokens":3,"output_tokens":5,)"
                R"("cached_input_tokens":9,"reasoning_tokens":7,"source":"provider"}})");
  CHECK(anthropic_usage(done)["input_tokens"] == 0);
  const Value gemini = parsed(gemini_usage(done).c_str());
  CHECK(gemini["candidatesTokenCount"] == 0);
  CHECK(gemini["thoughtsTokenCount"] == 5);
  CHECK(gemini["totalTokenCount"] == 8);
}

TEST_CASE("Messages name the stop sequence, and only where it was the reason") {
  const Done stopped = read_done(detailed);
  CHECK(anthropic_stop_reason(stopped) == "stop_sequence");
  CHECK(anthropic_stop_sequence(stopped) == "END");
  const Done ended = read_done(R"({"status":"completed","finish_reason":"stop","usage":{"source":"unknown"}})");
  CHECK(anthropic_stop_reason(ended) == "end_turn");
  CHECK(anthropic_stop_sequence(ended).is_null());
}

}  // namespace tokenrelay::surface
