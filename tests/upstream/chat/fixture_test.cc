// Every recorded Chat Completions stream, against what nlohmann makes of the same lines.
#include "tests/upstream/chat/run.h"
#include "tests/upstream/fixture_run.h"

using namespace tokenrelay;
using nlohmann::json;
namespace script = support::script;

namespace {

const std::map<std::string, upstream::FinishReason> reasons = {{"stop", upstream::FinishReason::stop},
                                                               {"length", upstream::FinishReason::length},
                                                               {"tool_calls", upstream::FinishReason::tool_calls}};

Expected expected_of(const std::vector<std::string>& lines) {
  Expected all;
  std::string finish;
  for (const std::string& line : lines) {
    const json chunk = json::parse(line);
    if (chunk.contains("usage") && chunk["usage"].is_object()) {
      all.input_tokens = chunk["usage"]["prompt_tokens"];
      all.output_tokens = chunk["usage"]["completion_tokens"];
    }
    for (const json& choice : chunk["choices"]) {
      const json& delta = choice["delta"];
      if (delta.contains("content") && delta["content"].is_string()) all.text += delta["content"].get<std::string>();
      for (const char* name : {"reasoning_content", "reasoning"}) {
        if (delta.contains(name) && delta[name].is_string()) all.reasoning += delta[name].get<std::string>();
      }
      for (const json& call : delta.value("tool_calls", json::array())) {
        const size_t index = call["index"];
        if (all.tools.size() <= index) all.tools.push_back({call["id"], call["function"]["name"], "", 0});
        all.tools[index].arguments += call["function"]["arguments"].get<std::string>();
      }
      if (choice.contains("finish_reason") && choice["finish_reason"].is_string()) finish = choice["finish_reason"];
    }
  }
  all.finish_reason = reasons.at(finish);
  return all;
}

const char* const fixtures[] = {"openai-chat-text", "azure-chat-model-router", "deepseek-reasoning", "groq-tool-call"};

}  // namespace

TEST_CASE("recorded chat streams come out as they were") {
  for (const char* name : fixtures) {
    DYNAMIC_SECTION(name) {
      const auto lines = lines_of(name);
      const Expected want = expected_of(lines);
      REQUIRE((!want.text.empty() || !want.tools.empty()));
      check(openai_result(script::fixture(path_of(name))), want);
    }
  }
}

TEST_CASE("recorded chat streams survive writes split anywhere") {
  const unsigned seed = Catch::rngSeed();
  std::mt19937 random(seed);
  for (const char* name : fixtures) {
    DYNAMIC_SECTION(name << ", seed " << seed) {
      const auto lines = lines_of(name);
      std::string bytes = script::head();
      for (const std::string& line : lines) bytes += script::chunk(script::event(line));
      bytes += script::chunk(script::done) + script::last_chunk;
      const Expected want = expected_of(lines);
      check_split_anywhere<OpenAiRun>(bytes, random, [&](const Recorder& got) { check(got, want); });
    }
  }
}
