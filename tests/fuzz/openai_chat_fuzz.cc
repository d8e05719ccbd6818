// A stream of payloads, one a line, through the Chat Completions dialect.
#include "service/upstream/chat/answer.h"
#include "tests/fuzz/answer_harness.h"

using namespace tokenrelay;
using upstream::ChatAnswer;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return fuzz::take_lines<ChatAnswer>(fuzz::input_of(data, size), ChatAnswer::Taken::chunk);
}
