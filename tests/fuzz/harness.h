// What the fuzz targets share. The first byte of what libFuzzer sends is a choice of the target's (how large the reads
// are, which callback destroys the answer), the rest is the input. A target aborts where an invariant does not hold.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace tokenrelay::fuzz {

inline void require(bool condition) {
  if (!condition) std::abort();
}

struct Input {
  size_t choice = 0;
  std::string_view bytes;  // may be empty
};

inline Input input_of(const uint8_t* data, size_t size) {
  if (size == 0) return {};
  return {data[0], {reinterpret_cast<const char*>(data) + 1, size - 1}};
}

// `outcome_of(bytes, read)` is what a parser makes of bytes that come `read` at a time. It must be the same when they
// come at once, one by one, and in reads of the chosen size, at most `largest_read`. Returns it.
template <class OutcomeOf>
auto same_in_every_split(const Input& input, size_t largest_read, const OutcomeOf& outcome_of) {
  auto whole = outcome_of(input.bytes, input.bytes.size() + 1);
  require(outcome_of(input.bytes, 1) == whole);
  require(outcome_of(input.bytes, input.choice % largest_read + 1) == whole);
  return whole;
}

}  // namespace tokenrelay::fuzz
