// The recorded streams of tests/fixtures through a dialect: what comes out, however the network cuts them.
#pragma once

#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/upstream/dialect_run.h"

inline std::string path_of(const std::string& fixture) {
  return std::string(TOKENRELAY_SOURCE_DIR) + "/tests/fixtures/" + fixture + ".chunks.txt";
}

// The payloads of a recording.
inline std::vector<std::string> lines_of(const std::string& fixture) {
  return tokenrelay::support::script::fixture_lines(path_of(fixture));
}

// What a recording says. Opaque objects are compared as JSON, and each is one line.
struct Expected {
  std::string text, reasoning;
  std::vector<Recorder::Tool> tools;
  std::vector<nlohmann::json> opaque;
  tokenrelay::upstream::FinishReason finish_reason;
  std::optional<uint64_t> input_tokens, output_tokens;
};

inline void check(const Recorder& got, const Expected& want) {
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
  REQUIRE(got.opaque.size() == want.opaque.size());
  for (size_t i = 0; i < want.opaque.size(); ++i) {
    CHECK(nlohmann::json::parse(got.opaque[i]) == want.opaque[i]);
    CHECK(got.opaque[i].find('\n') == std::string::npos);
  }
  CHECK(got.outcome->finish_reason == want.finish_reason);
  CHECK(got.outcome->usage.input_tokens == want.input_tokens);
  CHECK(got.outcome->usage.output_tokens == want.output_tokens);
}

// An answer's bytes sent one by one, and then cut at random places: each time what comes out is for `accept` to check.
template <class Run>
void check_split_anywhere(const std::string& bytes, std::mt19937& random,
                          const std::function<void(const Recorder&)>& accept) {
  namespace script = tokenrelay::support::script;
  accept(result_of<Run>({script::send_every_byte(bytes)}));
  std::vector<size_t> at;
  for (size_t offset = 1 + random() % 200; offset < bytes.size(); offset += 1 + random() % 900) at.push_back(offset);
  accept(result_of<Run>({script::send_split(bytes, at)}));
}

// A small answer cut in two, once at every byte, over one connection: each time it says this text.
template <class Run>
void check_cut_in_two(const std::string& bytes, const std::string& text) {
  Run run;
  for (size_t at = 1; at < bytes.size(); ++at)
    run.server.answer({tokenrelay::support::script::send_split(bytes, {at})});
  for (size_t at = 1; at < bytes.size(); ++at) {
    INFO("split at " << at);
    Recorder recorder(run.loop);
    recorder.call = call_of(run.model(), {"m", "[]", "", "r"}, recorder);
    recorder.run_until_end();
    CHECK_FALSE(recorder.outcome->failure);
    CHECK(recorder.text == text);
  }
}
