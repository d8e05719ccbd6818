// Responses under arbitrary bytes: no crash, no sanitizer finding, and the same outcome in every split.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "tests/upstream/response_outcome.h"

// The first byte says how large the reads are.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = outcome_of(bytes, bytes.size());
  if (whole.body.size() + whole.left.size() > bytes.size()) std::abort();
  if (whole.ended && whole.heads != 1) std::abort();
  if (outcome_of(bytes, data[0] % 40 + 1) != whole || outcome_of(bytes, 1) != whole) std::abort();
  return 0;
}
