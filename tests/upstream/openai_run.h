// One call of the openai provider against a scripted upstream, over real sockets.
#pragma once

#include <string>

#include "service/upstream/providers.h"
#include "tests/support/fake_upstream.h"
#include "tests/upstream/recorder.h"

// Limits small enough for a test, and no retry of what they end.
inline tokenrelay::upstream::ProviderOptions openai_options(const tokenrelay::support::FakeUpstream& server) {
  tokenrelay::upstream::ProviderOptions options;
  options.base_url = server.base_url();
  options.api_key = "sk-test-secret";
  options.timeouts = {2'000, 5'000, 5'000, 300};
  return options;
}

struct OpenAiRun {
  explicit OpenAiRun() : options(openai_options(server)), recorder(loop) {}

  // Starts the call; the provider is made from `options` at the first one.
  void start(const std::string& parameters = "") {
    if (!provider) provider = make_openai_chat(tokenrelay::upstream::make_http_client(loop), options);
    recorder.call = provider->start({"m", R"([{"role":"user","content":"hi"}])", parameters, "req_1"}, recorder);
  }
  const Recorder& run(const std::string& parameters = "") {
    start(parameters);
    recorder.run_until_end();
    return recorder;
  }

  tokenrelay::support::FakeUpstream server;
  tokenrelay::transport::Loop loop;
  tokenrelay::upstream::ProviderOptions options;
  std::unique_ptr<tokenrelay::upstream::Provider> provider;
  Recorder recorder;
};

// What a call makes of one script.
inline Recorder openai_result(const tokenrelay::support::Script& steps) {
  OpenAiRun run;
  run.server.answer(steps);
  run.run();
  return std::move(run.recorder);
}

// What a call makes of these payloads, each as an event, then [DONE].
inline Recorder openai_chunks(const std::vector<std::string>& payloads, bool with_done = true) {
  return openai_result(tokenrelay::support::script::stream_of(payloads, with_done));
}

inline tokenrelay::upstream::FailureCode code_of(const Recorder& recorder) {
  REQUIRE(recorder.outcome);
  REQUIRE(recorder.outcome->failure);
  return recorder.outcome->failure->code;
}
