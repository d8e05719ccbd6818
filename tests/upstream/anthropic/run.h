// Calls of the anthropic provider against a scripted upstream.
#pragma once

#include "tests/upstream/anthropic/events.h"
#include "tests/upstream/dialect_run.h"

struct AnthropicRun : DialectRun {
  AnthropicRun() : DialectRun(tokenrelay::upstream::make_anthropic, "sk-ant-secret") {}
};

inline std::string anthropic_event(const std::string& payload) {
  return named_event(payload, "content_block_delta");
}

inline std::string anthropic_sse(const std::vector<std::string>& payloads) {
  std::string sse;
  for (const std::string& payload : payloads) sse += anthropic_event(payload);
  return sse;
}

inline Recorder anthropic_result(const tokenrelay::support::Script& steps) {
  return result_of<AnthropicRun>(steps);
}

// What a call makes of these payloads and a clean end.
inline Recorder anthropic_events(const std::vector<std::string>& payloads) {
  return anthropic_result(tokenrelay::support::script::raw_stream(anthropic_sse(payloads)));
}
