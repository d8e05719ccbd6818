// Request framing under arbitrary bytes: no crash, no sanitizer finding, bounds kept, and the same outcome in every
// split.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "tests/http/framing_outcome.h"

using namespace tokenrelay::http;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  // Small limits, so that inputs of a few hundred bytes reach them.
  const FramingLimits limits{.head_bytes = 300, .line_bytes = 120, .path_bytes = 40, .headers = 6, .body_bytes = 64};
  const size_t step = data[0] % 16 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string whole = all_at_once(bytes, limits);
  if (byte_by_byte(bytes, limits) != whole) std::abort();
  if (outcome(
          bytes, [&](size_t) { return step; }, limits) != whole)
    std::abort();
  return 0;
}
