// Calls of the openai provider against a scripted upstream.
#pragma once

#include "tests/upstream/dialect_run.h"

struct OpenAiRun : DialectRun {
  OpenAiRun() : DialectRun(tokenrelay::upstream::make_openai_chat, "sk-test-secret") {}
};

inline Recorder openai_result(const tokenrelay::support::Script& steps) {
  return result_of<OpenAiRun>(steps);
}

// What a call makes of these payloads, each as an event, then [DONE].
inline Recorder openai_chunks(const std::vector<std::string>& payloads, bool with_done = true) {
  return openai_result(tokenrelay::support::script::stream_of(payloads, with_done));
}
