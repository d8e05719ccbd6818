// One call of the gemini provider against a scripted upstream, over real sockets.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "service/upstream/providers.h"
#include "tests/support/fake_upstream.h"
#include "tests/upstream/recorder.h"

struct GeminiRun {
  GeminiRun() : recorder(loop) {
    options.base_url = server.base_url();
    options.api_key = "AIza-secret";
    options.timeouts = {2'000, 5'000, 5'000, 300};
  }

  const Recorder& run(tokenrelay::upstream::ModelRequest request = {
                          "gemini-2.5-pro", R"([{"role":"user","content":"hi"}])", "", "req_1"}) {
    provider = make_gemini(tokenrelay::upstream::make_http_client(loop), options);
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

// Google's own framing is CRLF.
inline std::string gemini_sse(const std::vector<std::string>& payloads, const std::string& line_end = "\r\n") {
  std::string sse;
  for (const std::string& payload : payloads) sse += "data: " + payload + line_end + line_end;
  return sse;
}

inline Recorder gemini_result(const tokenrelay::support::Script& steps) {
  GeminiRun run;
  run.server.answer(steps);
  run.run();
  return std::move(run.recorder);
}

// What a call makes of these payloads and a clean end.
inline Recorder gemini_events(const std::vector<std::string>& payloads) {
  return gemini_result(tokenrelay::support::script::raw_stream(gemini_sse(payloads)));
}

// A chunk of these parts.
inline std::string gemini_parts(const nlohmann::json& parts, const char* finish_reason = nullptr) {
  nlohmann::json candidate = {{"content", {{"parts", parts}, {"role", "model"}}}, {"index", 0}};
  if (finish_reason) candidate["finishReason"] = finish_reason;
  return nlohmann::json{{"candidates", nlohmann::json::array({candidate})}}.dump();
}

inline tokenrelay::upstream::Failure gemini_failed(const Recorder& recorder) {
  REQUIRE(recorder.outcome);
  REQUIRE(recorder.outcome->failure);
  return *recorder.outcome->failure;
}
