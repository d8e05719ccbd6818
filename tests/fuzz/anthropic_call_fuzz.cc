// The bytes of one response through the whole Messages dialect. Seeds: tests/fixtures/foreign/, by tests/fuzz/seeds.py.
#include "tests/fuzz/call_harness.h"

using namespace tokenrelay;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::run_dialect(upstream::make_anthropic, {"text", "thinking"}, fuzz::input_of(data, size));
}
