#include "tests/support/fleet_delta.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "tests/support/model_script.h"

namespace tokenrelay::support {

int64_t monotonic_us() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

void write_stamp(char* at, int64_t us) {
  char digits[stamp_digits + 1];
  std::snprintf(digits, sizeof digits, "%016" PRId64, us);
  std::memcpy(at, digits, stamp_digits);
}

std::optional<int64_t> read_stamp(std::string_view text) {
  int64_t value = 0;
  if (text.size() < stamp_digits) return std::nullopt;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + stamp_digits, value);
  if (error != std::errc() || stop != text.data() + stamp_digits) return std::nullopt;
  return value;
}

FleetDelta::FleetDelta(size_t text_bytes, bool openai_sized) {
  const std::string text(std::max(text_bytes, stamp_digits), ' ');
  std::string payload =
      openai_sized
          ? R"({"id":"chatcmpl-CbXlOgL0oWgOzjzXqk9Xp1LzTq3Qw","object":"chat.completion.chunk","created":1763000000,"model":)"
            R"("gpt-4.1-nano-2025-04-14","service_tier":"default","system_fingerprint":"fp_950f36939b","choices":[{"index":0,)"
            R"("delta":{"content":"@"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"Zk2vQ8xT"})"
          : script::delta_payload(R"({"content":"@"})");
  payload.replace(payload.find('@'), 1, text);
  bytes_ = script::chunk(script::event(payload));
  stamp_at_ = bytes_.find(text);
}

void FleetDelta::append_to(std::string& out) const {
  const size_t at = out.size() + stamp_at_;
  out += bytes_;
  write_stamp(out.data() + at, monotonic_us());
}

}  // namespace tokenrelay::support
