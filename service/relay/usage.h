// Token counts of a stream, summed over its generations, and the payload of its terminal event.
//
// What the provider counts is taken as it comes; what it does not say is estimated from the text (UTF-8 bytes / 4,
// rounded up); where nothing reached the upstream there is nothing to count: unknown. Never a silent zero.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/upstream/upstream.h"

namespace tokenrelay::relay {

class UsageTotal {
 public:
  enum class Source { provider, estimated, unknown };

  // One generation is over: what the provider said, and the bytes that went in and came out, for the estimate.
  void add(const upstream::Usage& said, uint64_t prompt_bytes, uint64_t output_bytes);
  void add_unknown();  // a generation that may have cost tokens nobody counted

  std::string json() const;  // {"input_tokens":3,"output_tokens":2,"source":"provider"} or {"source":"unknown"}

 private:
  bool any_ = false;
  Source source_ = Source::provider;  // the weakest so far
  uint64_t input_ = 0, output_ = 0;
};

struct StreamError {
  std::string code, message;
  bool retryable = false;
};

std::string_view name_of(upstream::FinishReason reason);

// The JSON of `done`: status, finish_reason (null unless completed), usage, and error where there is one.
std::string done_payload(std::string_view status, const std::optional<upstream::FinishReason>& reason,
                         std::string_view reason_raw, const std::string& usage_json,
                         const std::optional<StreamError>& error);

}  // namespace tokenrelay::relay
