// Every recorded Messages stream: as the provider sent it, and cut anywhere by the network.
#include <random>

#include "tests/upstream/anthropic_run.h"

using namespace tokenrelay;
using nlohmann::json;
using upstream::FinishReason;
namespace script = support::script;

namespace {

struct Expected {
  std::string name, text, reasoning;
  std::vector<Recorder::Tool> tools;
  std::vector<std::string> signatures;
  FinishReason finish_reason;
  uint64_t input_tokens, output_tokens;
};

std::vector<std::string> lines_of(const std::string& name) {
  return script::fixture_lines(std::string(TOKENRELAY_SOURCE_DIR) + "/tests/fixtures/" + name + ".chunks.txt");
}

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

std::vector<Expected> fixtures() {
  return {
      {"anthropic-text",
       "Hello! I'm doing well, thank you for asking. How are you doing today? Is there anything I can help you with?",
       "",
       {},
       {},
       FinishReason::stop,
       12,
       30},
      {"anthropic-thinking",
       "925 \xC3\xB7 5 = 185",
       "The previous result was 925. Now I need to divide that by 5.\n\n925 \xC3\xB7 5 = 185",
       {},
       {recorded_signature()},
       FinishReason::stop,
       69,
       53},
      {"anthropic-tool-use",
       "",
       "",
       {{"toolu_019Zvehfe1XQWweT1pm7okyt", "weather", R"({"location": "San Francisco"})", 0}},
       {},
       FinishReason::tool_calls,
       843,
       28}};
}

void check(const Recorder& got, const Expected& want) {
  REQUIRE(got.outcome);
  INFO((got.outcome->failure ? got.outcome->failure->message : ""));
  CHECK_FALSE(got.outcome->failure);
  CHECK(got.text == want.text);
  CHECK(got.reasoning == want.reasoning);
  REQUIRE(got.tools.size() == want.tools.size());
  for (size_t i = 0; i < want.tools.size(); ++i) {
    CHECK(got.tools[i].id == want.tools[i].id);
    CHECK(got.tools[i].name == want.tools[i].name);
    CHECK(got.tools[i].arguments == want.tools[i].arguments);
  }
  REQUIRE(got.opaque.size() == want.signatures.size());
  for (size_t i = 0; i < want.signatures.size(); ++i) {
    CHECK(json::parse(got.opaque[i]) ==
          json{{"provider", "anthropic"}, {"type", "signature"}, {"data", want.signatures[i]}});
    CHECK(got.opaque[i].find('\n') == std::string::npos);
  }
  CHECK(got.outcome->finish_reason == want.finish_reason);
  CHECK(got.outcome->usage.input_tokens == want.input_tokens);
  CHECK(got.outcome->usage.output_tokens == want.output_tokens);
}

}  // namespace

TEST_CASE("recorded Messages streams come out as they were") {
  for (const Expected& want : fixtures()) {
    DYNAMIC_SECTION(want.name) {
      check(anthropic_events(lines_of(want.name)), want);
    }
  }
}

TEST_CASE("recorded Messages streams survive writes split anywhere") {
  const unsigned seed = Catch::rngSeed();
  std::mt19937 random(seed);
  for (const Expected& want : fixtures()) {
    DYNAMIC_SECTION(want.name << ", seed " << seed) {
      std::string bytes = script::head();
      for (const std::string& line : lines_of(want.name)) bytes += script::chunk(anthropic_event(line));
      bytes += script::last_chunk;
      check(anthropic_result({script::send_every_byte(bytes)}), want);
      std::vector<size_t> at;
      for (size_t offset = 1 + random() % 200; offset < bytes.size(); offset += 1 + random() % 900)
        at.push_back(offset);
      check(anthropic_result({script::send_split(bytes, at)}), want);
    }
  }
}

TEST_CASE("a small Messages stream, split in two at every byte") {
  const std::string stream =
      script::head() +
      script::chunk(anthropic_sse(
          {R"({"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}})",
           R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\ud83d\ude00 ÷"}})",
           R"({"type":"message_stop"})"})) +
      script::last_chunk;
  AnthropicRun run;
  for (size_t at = 1; at < stream.size(); ++at) run.server.answer({script::send_split(stream, {at})});
  run.provider = make_anthropic(upstream::make_http_client(run.loop), run.options);
  for (size_t at = 1; at < stream.size(); ++at) {
    INFO("split at " << at);
    Recorder recorder(run.loop);
    recorder.call = run.provider->start({"m", "[]", "", "r"}, recorder);
    recorder.run_until_end();
    CHECK_FALSE(recorder.outcome->failure);
    CHECK(recorder.text == "\xF0\x9F\x98\x80 \xC3\xB7");
  }
}
