// Request framing under arbitrary bytes: no crash, no sanitizer finding, bounds kept, and the same outcome in every
// split.
#include "tests/fuzz/harness.h"
#include "tests/http/framing_outcome.h"

using namespace tokenrelay;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Small limits, so that inputs of a few hundred bytes reach them.
  const http::FramingLimits limits{
      .head_bytes = 300, .line_bytes = 120, .path_bytes = 40, .headers = 6, .body_bytes = 64};
  fuzz::same_in_every_split(fuzz::input_of(data, size), 16, [&](std::string_view bytes, size_t read) {
    return http::outcome(
        bytes, [read](size_t) { return read; }, limits);
  });
  return 0;
}
