// A stream of payloads, one a line, through the Gemini dialect.
#include "service/upstream/gemini/answer.h"
#include "tests/fuzz/answer_harness.h"

using namespace tokenrelay;
using upstream::GeminiAnswer;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::take_lines<GeminiAnswer>(fuzz::input_of(data, size), GeminiAnswer::Taken::chunk);
}
