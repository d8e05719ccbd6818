// One call of the openai-responses provider against a scripted upstream, over real sockets.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "service/upstream/providers.h"
#include "tests/support/fake_upstream.h"
#include "tests/upstream/recorder.h"

struct ResponsesRun {
  ResponsesRun() : recorder(loop) {
    options.base_url = server.base_url();
    options.api_key = "sk-test-secret";
    options.timeouts = {2'000, 5'000, 5'000, 300};
  }

  tokenrelay::upstream::Provider& model() {
    if (!provider) provider = make_openai_responses(tokenrelay::upstream::make_http_client(loop), options);
    return *provider;
  }
  void start(tokenrelay::upstream::ModelRequest request = {"m", R"([{"role":"user","content":"hi"}])", "", "req_1"}) {
    recorder.call = model().start(std::move(request), recorder);
  }
  const Recorder& run() {
    start();
    recorder.run_until_end();
    return recorder;
  }
  void run_for(int64_t ms) {
    tokenrelay::transport::Timer later(loop.timers(), [this] { loop.stop(); });
    later.arm(ms);
    loop.run();
  }

  tokenrelay::support::FakeUpstream server;
  tokenrelay::transport::Loop loop;
  tokenrelay::upstream::ProviderOptions options;
  std::unique_ptr<tokenrelay::upstream::Provider> provider;
  Recorder recorder;
};

inline std::string responses_sse(const std::vector<std::string>& payloads) {
  std::string sse;
  for (const std::string& payload : payloads) {
    const auto event = nlohmann::json::parse(payload, nullptr, false);
    const std::string type = event.is_discarded() ? "response.output_text.delta" : event.value("type", "");
    sse += "event: " + type + "\ndata: " + payload + "\n\n";
  }
  return sse;
}

inline Recorder responses_result(const tokenrelay::support::Script& steps) {
  ResponsesRun run;
  run.server.answer(steps);
  run.run();
  return std::move(run.recorder);
}

// What a call makes of these payloads and a clean end.
inline Recorder responses_events(const std::vector<std::string>& payloads) {
  return responses_result(tokenrelay::support::script::raw_stream(responses_sse(payloads)));
}

inline tokenrelay::upstream::Failure responses_failure(const Recorder& recorder) {
  REQUIRE(recorder.outcome);
  REQUIRE(recorder.outcome->failure);
  return *recorder.outcome->failure;
}

// Payloads of a made-up answer.
inline std::string created(const std::string& id = "resp_1", int number = 0) {
  return R"({"type":"response.created","sequence_number":)" + std::to_string(number) + R"(,"response":{"id":")" + id +
         R"(","status":"in_progress","output":[]}})";
}
inline std::string text_delta(const std::string& text, int number, const std::string& item = "0") {
  return R"({"type":"response.output_text.delta","sequence_number":)" + std::to_string(number) + R"(,"output_index":)" +
         item + R"(,"content_index":0,"delta":")" + text + "\"}";
}
inline std::string completed(int number = 1000, const std::string& output = "[]") {
  return R"({"type":"response.completed","sequence_number":)" + std::to_string(number) +
         R"(,"response":{"id":"resp_1","status":"completed","output":)" + output +
         R"(,"usage":{"input_tokens":3,"output_tokens":5}}})";
}
