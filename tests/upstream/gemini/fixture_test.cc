// Every recorded Gemini stream: as the provider sent it, in both framings, and cut anywhere by the network.
#include "tests/upstream/fixture_run.h"
#include "tests/upstream/gemini/run.h"

using namespace tokenrelay;
using nlohmann::json;
using upstream::FinishReason;
namespace script = support::script;

namespace {

// As it stands in the recording, which is too long to write out.
std::string recorded_signature(const std::string& name) {
  for (const std::string& line : lines_of(name)) {
    const json parts = json::parse(line)["candidates"][0]["content"]["parts"];
    if (parts[0].contains("thoughtSignature")) return parts[0]["thoughtSignature"];
  }
  return {};
}

std::vector<std::pair<std::string, Expected>> fixtures() {
  const auto signature = [](const char* name) {
    const std::string data = recorded_signature(name);
    REQUIRE_FALSE(data.empty());
    return json{{"provider", "gemini"}, {"type", "thought_signature"}, {"data", data}};
  };
  json of_call = signature("gemini-tool-call");
  of_call["index"] = 0;
  return {{"gemini-thinking-text",
           {"There are **3** \"r\"s in strawberry.\n\nHere is the breakdown: st**r**awbe**rr**y.",
            "",
            {},
            {signature("gemini-thinking-text")},
            FinishReason::stop,
            9,
            29 + 256}},
          {"gemini-tool-call",
           {"",
            "",
            {{"", "weather", R"({"location":"San Francisco"})", 0}},
            {of_call},
            FinishReason::tool_calls,
            29,
            15 + 45}}};
}

}  // namespace

TEST_CASE("recorded Gemini streams come out as they were") {
  for (const auto& [name, want] : fixtures()) {
    for (const std::string line_end : {"\r\n", "\n"}) {
      DYNAMIC_SECTION(name << ", " << line_end.size() << " bytes a line end") {
        check(gemini_result(script::raw_stream(gemini_sse(lines_of(name), line_end))), want);
      }
    }
  }
}

TEST_CASE("recorded Gemini streams survive writes split anywhere") {
  const unsigned seed = Catch::rngSeed();
  std::mt19937 random(seed);
  for (const auto& [name, want] : fixtures()) {
    DYNAMIC_SECTION(name << ", seed " << seed) {
      std::string bytes = script::head();
      for (const std::string& line : lines_of(name)) bytes += script::chunk(gemini_sse({line}));
      check_split_anywhere<GeminiRun>(bytes + script::last_chunk, random,
                                      [&want = want](const Recorder& got) { check(got, want); });
    }
  }
}

TEST_CASE("recorded Gemini streams as the array that comes without alt=sse") {
  for (const auto& [name, want] : fixtures()) {
    DYNAMIC_SECTION(name) {
      std::string array = "[";
      for (const std::string& line : lines_of(name)) array += (array.size() > 1 ? "\r\n,\r\n" : "") + line;
      const std::string answer =
          script::head(200, "application/json") + script::chunk(array + "]\n") + script::last_chunk;
      check(gemini_result({script::send(answer)}), want);
    }
  }
}

TEST_CASE("a small Gemini stream, split in two at every byte") {
  const std::string payload =
      R"({"candidates":[{"content":{"parts":[{"text":"\ud83d\ude00 ÷"}]},"finishReason":"STOP"}]})";
  const std::string stream = script::head() + script::chunk(gemini_sse({payload})) + script::last_chunk;
  check_cut_in_two<GeminiRun>(stream, "\xF0\x9F\x98\x80 \xC3\xB7");
}
