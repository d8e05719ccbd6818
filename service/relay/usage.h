// Token counts of a stream, summed over its generations, and the payload of its terminal event.
//
// The provider's counts are used as they are; missing ones are estimated from the text (UTF-8 bytes / 4, rounded up).
// If nothing reached the upstream, the usage is unknown. It is never a silent zero.
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

  // One generation is over: the provider's counts, and the bytes of input and output for the estimate.
  void add(const upstream::Usage& said, uint64_t prompt_bytes, uint64_t output_bytes);
  void add_unknown();  // a generation whose tokens nobody counted

  // {"input_tokens":3,"output_tokens":2,"source":"provider"}, before the source what the provider told of their parts
  // (upstream::usage_details): "cached_input_tokens":1. Or {"source":"unknown"}.
  std::string json() const;

 private:
  bool any_ = false;
  Source source_ = Source::provider;  // the weakest so far
  uint64_t input_ = 0, output_ = 0;
  upstream::Usage parts_;  // of those
};

struct StreamError {
  std::string code, message;
  bool retryable = false;
};

// The provider's own names for the last call and its answer; "": not said.
struct ProviderIds {
  std::string request, response;
};

std::string_view name_of(upstream::FinishReason reason);

// The JSON of `done`: status, finish_reason with what belongs to it, usage, error and the provider's ids where there
// are any. `completed` is how the last generation ended; null if it did not complete, and so has no reason.
std::string done_payload(std::string_view status, const upstream::Outcome* completed, const std::string& usage_json,
                         const std::optional<StreamError>& error, const ProviderIds& ids = {});

}  // namespace tokenrelay::relay
