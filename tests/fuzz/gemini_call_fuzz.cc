// The bytes of one response through the whole Gemini dialect. Seeds: tests/fixtures/foreign/, by tests/fuzz/seeds.py.
#include "tests/fuzz/call_harness.h"

using namespace tokenrelay;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::run_dialect(upstream::make_gemini, {"text"}, fuzz::input_of(data, size));
}
