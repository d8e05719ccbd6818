// Calls of the openai-responses provider against a scripted upstream.
#pragma once

#include "tests/upstream/dialect_run.h"

struct ResponsesRun : DialectRun {
  ResponsesRun() : DialectRun(tokenrelay::upstream::make_openai_responses, "sk-test-secret") {}
};

inline std::string responses_sse(const std::vector<std::string>& payloads) {
  std::string sse;
  for (const std::string& payload : payloads) sse += named_event(payload, "response.output_text.delta");
  return sse;
}

inline Recorder responses_result(const tokenrelay::support::Script& steps) {
  return result_of<ResponsesRun>(steps);
}

// What a call makes of these payloads and a clean end.
inline Recorder responses_events(const std::vector<std::string>& payloads) {
  return responses_result(tokenrelay::support::script::raw_stream(responses_sse(payloads)));
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
