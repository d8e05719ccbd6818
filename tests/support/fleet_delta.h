// FleetDelta: one delta of the fleet's streams as bytes on the wire, with a place for the time of its write: 16 digits,
// CLOCK_MONOTONIC in microseconds, so that latency can be measured in any process of the machine.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay::support {

int64_t monotonic_us();

constexpr size_t stamp_digits = 16;
void write_stamp(char* at, int64_t us);  // stamp_digits of them
// The stamp at the start of a delta's text.
std::optional<int64_t> read_stamp(std::string_view text);

class FleetDelta {
 public:
  // `text_bytes` of text, at least a stamp; `openai_sized`: a chunk of 323 B, as OpenAI sends them.
  FleetDelta(size_t text_bytes, bool openai_sized);
  void append_to(std::string& out) const;  // stamped now

 private:
  std::string bytes_;
  size_t stamp_at_;
};

}  // namespace tokenrelay::support
