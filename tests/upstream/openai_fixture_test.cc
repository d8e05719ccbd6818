// Every recorded Chat Completions stream, against what nlohmann makes of the same lines.
#include <nlohmann/json.hpp>
#include <random>

#include "service/transport/loop.h"
#include "service/upstream/providers.h"
#include "tests/support/catch.h"
#include "tests/support/fake_upstream.h"
#include "tests/upstream/recorder.h"

using namespace tokenrelay;
using nlohmann::json;
namespace script = support::script;

namespace {

struct Expected {
  std::string text, reasoning, finish_reason;
  std::vector<Recorder::Tool> tools;
  std::optional<uint64_t> input_tokens, output_tokens;
};

Expected expected_of(const std::vector<std::string>& lines) {
  Expected all;
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
      if (choice.contains("finish_reason") && choice["finish_reason"].is_string())
        all.finish_reason = choice["finish_reason"];
    }
  }
  return all;
}

const std::map<std::string, upstream::FinishReason> reasons = {{"stop", upstream::FinishReason::stop},
                                                               {"length", upstream::FinishReason::length},
                                                               {"tool_calls", upstream::FinishReason::tool_calls}};

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
  CHECK(got.outcome->finish_reason == reasons.at(want.finish_reason));
  CHECK(got.outcome->usage.input_tokens == want.input_tokens);
  CHECK(got.outcome->usage.output_tokens == want.output_tokens);
}

const char* const fixtures[] = {"openai-chat-text", "azure-chat-model-router", "deepseek-reasoning", "groq-tool-call"};

std::string path_of(const std::string& name) {
  return std::string(TOKENRELAY_SOURCE_DIR) + "/tests/fixtures/" + name + ".chunks.txt";
}

Recorder replay(const support::Script& steps) {
  support::FakeUpstream server;
  server.answer(steps);
  transport::Loop loop;
  upstream::ProviderOptions options;
  options.base_url = server.base_url();
  const auto provider = upstream::make_openai_chat(upstream::make_http_client(loop), options);
  Recorder recorder(loop);
  recorder.call = provider->start({"m", "[]", "", "r"}, recorder);
  recorder.run_until_end();
  return recorder;
}

}  // namespace

TEST_CASE("recorded chat streams come out as they were") {
  for (const char* name : fixtures) {
    DYNAMIC_SECTION(name) {
      const auto lines = script::fixture_lines(path_of(name));
      const Expected want = expected_of(lines);
      REQUIRE((!want.text.empty() || !want.tools.empty()));
      check(replay(script::fixture(path_of(name))), want);
    }
  }
}

TEST_CASE("recorded chat streams survive writes split anywhere") {
  const unsigned seed = Catch::rngSeed();
  std::mt19937 random(seed);
  for (const char* name : fixtures) {
    DYNAMIC_SECTION(name << ", seed " << seed) {
      const auto lines = script::fixture_lines(path_of(name));
      std::string bytes = script::head();
      for (const std::string& line : lines) bytes += script::chunk(script::event(line));
      bytes += script::chunk(script::done) + script::last_chunk;
      check(replay({script::send_every_byte(bytes)}), expected_of(lines));
      std::vector<size_t> at;
      for (size_t offset = 1 + random() % 500; offset < bytes.size(); offset += 1 + random() % 2000)
        at.push_back(offset);
      check(replay({script::send_split(bytes, at)}), expected_of(lines));
    }
  }
}
