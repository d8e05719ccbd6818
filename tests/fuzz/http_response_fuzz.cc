// Responses under arbitrary bytes: no crash, no sanitizer finding, and the same outcome in every split.
#include <string>

#include "tests/client/response_outcome.h"
#include "tests/fuzz/harness.h"

using namespace tokenrelay;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const fuzz::Input input = fuzz::input_of(data, size);
  const Outcome whole = fuzz::same_in_every_split(
      input, 40, [](std::string_view bytes, size_t read) { return outcome_of(std::string(bytes), read); });
  fuzz::require(whole.body.size() + whole.left.size() <= input.bytes.size());
  fuzz::require(!whole.ended || whole.heads == 1);
  return 0;
}
