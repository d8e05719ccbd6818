// Every recorded Messages stream: as the provider sent it, and cut anywhere by the network.
#include "tests/upstream/anthropic/run.h"
#include "tests/upstream/fixture_run.h"

using namespace tokenrelay;
using nlohmann::json;
using upstream::FinishReason;
namespace script = support::script;

namespace {

// The signature as it stands in the recording, which is too long to write out.
std::string recorded_signature() {
  for (const std::string& line : lines_of("anthropic-thinking")) {
    const json event = json::parse(line);
    if (event["type"] == "content_block_delta" && event["delta"]["type"] == "signature_delta") {
      return event["delta"]["signature"];
    }
  }
  return {};
}

std::vector<std::pair<std::string, Expected>> fixtures() {
  const json signature = {{"provider", "anthropic"}, {"type", "signature"}, {"data", recorded_signature()}};
  return {{"anthropic-text",
           {"Hello! I'm doing well, thank you for asking. How are you doing today? Is there anything I can help you "
            "with?",
            "",
            {},
            {},
            FinishReason::stop,
            12,
            30}},
          {"anthropic-thinking",
           {"925 \xC3\xB7 5 = 185",
            "The previous result was 925. Now I need to divide that by 5.\n\n925 \xC3\xB7 5 = 185",
            {},
            {signature},
            FinishReason::stop,
            69,
            53}},
          {"anthropic-tool-use",
           {"",
            "",
            {{"toolu_019Zvehfe1XQWweT1pm7okyt", "weather", R"({"location": "San Francisco"})", 0}},
            {},
            FinishReason::tool_calls,
            843,
            28}}};
}

}  // namespace

TEST_CASE("recorded Messages streams come out as they were") {
  for (const auto& [name, want] : fixtures()) {
    DYNAMIC_SECTION(name) {
      check(anthropic_events(lines_of(name)), want);
    }
  }
}

TEST_CASE("recorded Messages streams survive writes split anywhere") {
  const unsigned seed = Catch::rngSeed();
  std::mt19937 random(seed);
  for (const auto& [name, want] : fixtures()) {
    DYNAMIC_SECTION(name << ", seed " << seed) {
      std::string bytes = script::head();
      for (const std::string& line : lines_of(name)) bytes += script::chunk(anthropic_event(line));
      check_split_anywhere<AnthropicRun>(bytes + script::last_chunk, random,
                                         [&want = want](const Recorder& got) { check(got, want); });
    }
  }
}

TEST_CASE("a small Messages stream, split in two at every byte") {
  const std::string stream =
      script::head() +
      script::chunk(anthropic_sse(
          {R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
           R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\ud83d\ude00 ÷"}})",
           R"({"type":"message_delta","delta":{"stop_reason":"end_turn"}})", R"({"type":"message_stop"})"})) +
      script::last_chunk;
  check_cut_in_two<AnthropicRun>(stream, "\xF0\x9F\x98\x80 \xC3\xB7");
}
