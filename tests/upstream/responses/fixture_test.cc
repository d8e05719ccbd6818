// Every recorded Responses stream: as the provider sent it, and cut anywhere by the network.
#include "tests/upstream/fixture_run.h"
#include "tests/upstream/responses/run.h"

using namespace tokenrelay;
using upstream::FinishReason;
namespace script = support::script;

namespace {

void check_text(const Recorder& got) {
  REQUIRE(got.outcome);
  CHECK_FALSE(got.outcome->failure);
  CHECK(got.text == "Hello");
  CHECK(got.reasoning == "");
  CHECK(got.tools.empty());
  CHECK(got.outcome->finish_reason == FinishReason::stop);
  CHECK(got.outcome->usage.input_tokens == 11u);
  CHECK(got.outcome->usage.output_tokens == 11u);
  CHECK(got.resumable.empty());
}

void check_error(const Recorder& got) {
  const auto failure = failure_of(got);
  CHECK(failure.code == upstream::ErrorCode::upstream_rate_limited);
  CHECK_FALSE(failure.retryable);
  CHECK(failure.message.find("You exceeded your current quota") == 0);
  CHECK(got.text == "");
}

void check_tool(const Recorder& got) {
  REQUIRE(got.outcome);
  CHECK_FALSE(got.outcome->failure);
  CHECK(got.reasoning ==
        "The user is asking for the weather in San Francisco. I have a weather function available that takes a "
        "location parameter. The user has provided \"San Francisco\" as the location, so I have all the required "
        "information to make the function call.");
  CHECK(got.text == "I'll get the current weather information for San Francisco for you.");
  REQUIRE(got.tools.size() == 1);
  CHECK(got.tools[0].id == "call_2025306790300011");
  CHECK(got.tools[0].name == "weather");
  CHECK(got.tools[0].arguments == R"({"location":"San Francisco"})");
  CHECK(got.outcome->finish_reason == FinishReason::tool_calls);
  CHECK(got.outcome->usage.input_tokens == 182u);
  CHECK(got.outcome->usage.output_tokens == 61u);
}

const std::vector<std::pair<std::string, void (*)(const Recorder&)>> fixtures = {
    {"openai-responses-text-min", check_text},
    {"openai-responses-error", check_error},
    {"lmstudio-responses-reasoning-tool", check_tool}};

}  // namespace

TEST_CASE("recorded Responses streams come out as they were") {
  for (const auto& [name, accept] : fixtures) {
    DYNAMIC_SECTION(name) {
      accept(responses_events(lines_of(name)));
    }
  }
}

TEST_CASE("recorded Responses streams survive writes split anywhere") {
  const unsigned seed = Catch::rngSeed();
  std::mt19937 random(seed);
  for (const auto& [name, accept] : fixtures) {
    DYNAMIC_SECTION(name << ", seed " << seed) {
      const std::string bytes = script::head() + script::chunk(responses_sse(lines_of(name))) + script::last_chunk;
      check_split_anywhere<ResponsesRun>(bytes, random, accept);
    }
  }
}
