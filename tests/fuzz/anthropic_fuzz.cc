// A stream of payloads, one a line, through the Messages dialect.
#include "service/upstream/anthropic/answer.h"
#include "tests/fuzz/answer_harness.h"

using namespace tokenrelay;
using upstream::AnthropicAnswer;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::take_lines<AnthropicAnswer>(fuzz::input_of(data, size), AnthropicAnswer::Taken::event);
}
