// Calls of the gemini provider against a scripted upstream.
#pragma once

#include "tests/upstream/dialect_run.h"

struct GeminiRun : DialectRun {
  GeminiRun() : DialectRun(tokenrelay::upstream::make_gemini, "AIza-secret") {}
};

// Google's own framing is CRLF.
inline std::string gemini_sse(const std::vector<std::string>& payloads, const std::string& line_end = "\r\n") {
  std::string sse;
  for (const std::string& payload : payloads) sse += "data: " + payload + line_end + line_end;
  return sse;
}

inline Recorder gemini_result(const tokenrelay::support::Script& steps) {
  return result_of<GeminiRun>(steps);
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
