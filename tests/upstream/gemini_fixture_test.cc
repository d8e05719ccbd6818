// Every recorded Gemini stream: as the provider sent it, in both framings, and cut anywhere by the network.
#include <random>

#include "tests/upstream/gemini_run.h"

using namespace tokenrelay;
using nlohmann::json;
using upstream::FinishReason;
namespace script = support::script;

namespace {

struct Expected {
  std::string name, text;
  std::vector<Recorder::Tool> tools;
  json opaque;
  FinishReason finish_reason;
  uint64_t input_tokens, output_tokens;
};

std::vector<std::string> lines_of(const std::string& name) {
  return script::fixture_lines(std::string(TOKENRELAY_SOURCE_DIR) + "/tests/fixtures/" + name + ".chunks.txt");
}

// As it stands in the recording, which is too long to write out.
std::string recorded_signature(const std::string& name) {
  for (const std::string& line : lines_of(name)) {
    const json parts = json::parse(line)["candidates"][0]["content"]["parts"];
    if (parts[0].contains("thoughtSignature")) return parts[0]["thoughtSignature"];
  }
  return {};
}

std::vector<Expected> fixtures() {
  const auto signature = [](const char* name) {
    return json{{"provider", "gemini"}, {"type", "thought_signature"}, {"data", recorded_signature(name)}};
  };
  json of_call = signature("gemini-tool-call");
  of_call["index"] = 0;
  return {{"gemini-thinking-text",
           "There are **3** \"r\"s in strawberry.\n\nHere is the breakdown: st**r**awbe**rr**y.",
           {},
           signature("gemini-thinking-text"),
           FinishReason::stop,
           9,
           29 + 256},
          {"gemini-tool-call",
           "",
           {{"", "weather", R"({"location":"San Francisco"})", 0}},
           of_call,
           FinishReason::tool_calls,
           29,
           15 + 45}};
}

void check(const Recorder& got, const Expected& want) {
  REQUIRE(got.outcome);
  INFO((got.outcome->failure ? got.outcome->failure->message : ""));
  CHECK_FALSE(got.outcome->failure);
  CHECK(got.text == want.text);
  CHECK(got.reasoning.empty());
  REQUIRE(got.tools.size() == want.tools.size());
  for (size_t i = 0; i < want.tools.size(); ++i) {
    CHECK(got.tools[i].id == want.tools[i].id);
    CHECK(got.tools[i].name == want.tools[i].name);
    CHECK(got.tools[i].arguments == want.tools[i].arguments);
  }
  REQUIRE(got.opaque.size() == 1);
  CHECK(json::parse(got.opaque[0]) == want.opaque);
  CHECK_FALSE(want.opaque["data"].get<std::string>().empty());
  CHECK(got.outcome->finish_reason == want.finish_reason);
  CHECK(got.outcome->usage.input_tokens == want.input_tokens);
  CHECK(got.outcome->usage.output_tokens == want.output_tokens);
}

}  // namespace

TEST_CASE("recorded Gemini streams come out as they were") {
  for (const Expected& want : fixtures()) {
    for (const std::string line_end : {"\r\n", "\n"}) {
      DYNAMIC_SECTION(want.name << ", " << line_end.size() << " bytes a line end") {
        check(gemini_result(script::raw_stream(gemini_sse(lines_of(want.name), line_end))), want);
      }
    }
  }
}

TEST_CASE("recorded Gemini streams survive writes split anywhere") {
  const unsigned seed = Catch::rngSeed();
  std::mt19937 random(seed);
  for (const Expected& want : fixtures()) {
    DYNAMIC_SECTION(want.name << ", seed " << seed) {
      std::string bytes = script::head();
      for (const std::string& line : lines_of(want.name)) bytes += script::chunk(gemini_sse({line}));
      bytes += script::last_chunk;
      check(gemini_result({script::send_every_byte(bytes)}), want);
      std::vector<size_t> at;
      for (size_t offset = 1 + random() % 200; offset < bytes.size(); offset += 1 + random() % 900)
        at.push_back(offset);
      check(gemini_result({script::send_split(bytes, at)}), want);
    }
  }
}

TEST_CASE("recorded Gemini streams as the array that comes without alt=sse") {
  for (const Expected& want : fixtures()) {
    DYNAMIC_SECTION(want.name) {
      std::string array = "[";
      for (const std::string& line : lines_of(want.name)) array += (array.size() > 1 ? "\r\n,\r\n" : "") + line;
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
  GeminiRun run;
  for (size_t at = 1; at < stream.size(); ++at) run.server.answer({script::send_split(stream, {at})});
  run.provider = make_gemini(upstream::make_http_client(run.loop), run.options);
  for (size_t at = 1; at < stream.size(); ++at) {
    INFO("split at " << at);
    Recorder recorder(run.loop);
    recorder.call = run.provider->start({"m", "[]", "", "r"}, recorder);
    recorder.run_until_end();
    CHECK_FALSE(recorder.outcome->failure);
    CHECK(recorder.text == "\xF0\x9F\x98\x80 \xC3\xB7");
  }
}
