// One call of the anthropic provider against a scripted upstream, over real sockets.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "service/upstream/providers.h"
#include "tests/support/fake_upstream.h"
#include "tests/upstream/recorder.h"

struct AnthropicRun {
  AnthropicRun() : recorder(loop) {
    options.base_url = server.base_url();
    options.api_key = "sk-ant-secret";
    options.timeouts = {2'000, 5'000, 5'000, 300};
  }

  const Recorder& run(tokenrelay::upstream::ModelRequest request = {"m", R"([{"role":"user","content":"hi"}])", "",
                                                                    "req_1"}) {
    provider = make_anthropic(tokenrelay::upstream::make_http_client(loop), options);
    recorder.call = provider->start(std::move(request), recorder);
    recorder.run_until_end();
    return recorder;
  }

  tokenrelay::support::FakeUpstream server;
  tokenrelay::transport::Loop loop;
  tokenrelay::upstream::ProviderOptions options;
  std::unique_ptr<tokenrelay::upstream::Provider> provider;
  Recorder recorder;
};

// "event: TYPE\ndata: …\n\n". A payload that nlohmann cannot read (half a surrogate pair) is a delta.
inline std::string anthropic_event(const std::string& payload) {
  const auto event = nlohmann::json::parse(payload, nullptr, false);
  const std::string type = event.is_discarded() ? "content_block_delta" : event.value("type", "");
  return "event: " + type + "\ndata: " + payload + "\n\n";
}

inline std::string anthropic_sse(const std::vector<std::string>& payloads) {
  std::string sse;
  for (const std::string& payload : payloads) sse += anthropic_event(payload);
  return sse;
}

inline Recorder anthropic_result(const tokenrelay::support::Script& steps) {
  AnthropicRun run;
  run.server.answer(steps);
  run.run();
  return std::move(run.recorder);
}

// What a call makes of these payloads and a clean end.
inline Recorder anthropic_events(const std::vector<std::string>& payloads) {
  return anthropic_result(tokenrelay::support::script::raw_stream(anthropic_sse(payloads)));
}

inline tokenrelay::upstream::Failure anthropic_failure(const Recorder& recorder) {
  REQUIRE(recorder.outcome);
  REQUIRE(recorder.outcome->failure);
  return *recorder.outcome->failure;
}
