// The bytes of one response through the whole Chat Completions dialect. Seeds: tests/fixtures/foreign/, by
// tests/fuzz/seeds.py.
#include "tests/fuzz/call_harness.h"

using namespace tokenrelay;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::run_dialect(
      upstream::make_openai_chat,
      {"content", "text", "refusal", "thinking", "reasoning", "reasoning_content", "reasoning_text", "summary"},
      fuzz::input_of(data, size));
}
