// A stream of payloads, one a line, through the Responses dialect.
#include "service/upstream/responses/answer.h"
#include "tests/fuzz/answer_harness.h"

using namespace tokenrelay;
using upstream::ResponsesAnswer;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::take_lines<ResponsesAnswer>(fuzz::input_of(data, size), ResponsesAnswer::Taken::event);
}
