#include "service/relay/usage.h"

#include <algorithm>

#include "service/json/write.h"

namespace tokenrelay::relay {
namespace {

uint64_t estimate(uint64_t bytes) {
  return (bytes + 3) / 4;
}

}  // namespace

void UsageTotal::add(const upstream::Usage& said, uint64_t prompt_bytes, uint64_t output_bytes) {
  any_ = true;
  // A zero although there was text means that the provider did not count.
  const bool input = said.input_tokens && (*said.input_tokens > 0 || prompt_bytes == 0);
  const bool output = said.output_tokens && (*said.output_tokens > 0 || output_bytes == 0);
  input_ += input ? *said.input_tokens : estimate(prompt_bytes);
  output_ += output ? *said.output_tokens : estimate(output_bytes);
  if (!input || !output) source_ = std::max(source_, Source::estimated);
}

void UsageTotal::add_unknown() {
  any_ = true;
  source_ = Source::unknown;
}

std::string UsageTotal::json() const {
  if (!any_ || source_ == Source::unknown) return R"({"source":"unknown"})";
  return "{\"input_tokens\":" + std::to_string(input_) + ",\"output_tokens\":" + std::to_string(output_) +
         ",\"source\":" + (source_ == Source::provider ? "\"provider\"" : "\"estimated\"") + "}";
}

std::string_view name_of(upstream::FinishReason reason) {
  using upstream::FinishReason;
  switch (reason) {
    case FinishReason::stop:
      return "stop";
    case FinishReason::length:
      return "length";
    case FinishReason::tool_calls:
      return "tool_calls";
    case FinishReason::content_filter:
      return "content_filter";
    case FinishReason::other:
      return "other";
  }
  return "other";
}

std::string done_payload(std::string_view status, const std::optional<upstream::FinishReason>& reason,
                         std::string_view reason_raw, const std::string& usage_json,
                         const std::optional<StreamError>& error) {
  std::string out = "{\"status\":";
  json::append_string(out, status);
  out += ",\"finish_reason\":";
  if (reason) {
    json::append_string(out, name_of(*reason));
    if (*reason == upstream::FinishReason::other) {
      out += ",\"finish_reason_raw\":";
      json::append_string(out, reason_raw);
    }
  } else {
    out += "null";
  }
  out += ",\"usage\":" + usage_json;
  if (error) {
    out += ",\"error\":{\"code\":";
    json::append_string(out, error->code);
    out += ",\"message\":";
    json::append_string(out, error->message);
    out += error->retryable ? ",\"retryable\":true}" : ",\"retryable\":false}";
  }
  out += '}';
  return out;
}

}  // namespace tokenrelay::relay
