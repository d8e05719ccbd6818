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
  for (const auto& [name, count] : upstream::usage_details) {
    if (said.*count) parts_.*count = (parts_.*count).value_or(0) + *(said.*count);
  }
  if (!input || !output) source_ = std::max(source_, Source::estimated);
}

void UsageTotal::add_unknown() {
  any_ = true;
  source_ = Source::unknown;
}

std::string UsageTotal::json() const {
  if (!any_ || source_ == Source::unknown) return R"({"source":"unknown"})";
  std::string out = "{\"input_tokens\":" + std::to_string(input_) + ",\"output_tokens\":" + std::to_string(output_);
  for (const auto& [name, count] : upstream::usage_details) {
    if (!(parts_.*count)) continue;
    out.append(",\"").append(name).append("\":").append(std::to_string(*(parts_.*count)));
  }
  return out + ",\"source\":" + (source_ == Source::provider ? "\"provider\"}" : "\"estimated\"}");
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

std::string done_payload(std::string_view status, const upstream::Outcome* completed, const std::string& usage_json,
                         const std::optional<StreamError>& error, const ProviderIds& ids) {
  std::string out = "{";
  const auto member = [&out](std::string_view name, std::string_view value) {
    out.append(out.size() > 1 ? ",\"" : "\"").append(name).append("\":");
    json::append_string(out, value);
  };
  member("status", status);
  if (completed != nullptr) {
    member("finish_reason", name_of(completed->finish_reason));
    if (completed->finish_reason == upstream::FinishReason::other) {
      member("finish_reason_raw", completed->finish_reason_raw);
    }
    if (!completed->stop_sequence.empty()) member("stop_sequence", completed->stop_sequence);
  } else {
    out += ",\"finish_reason\":null";
  }
  out += ",\"usage\":" + usage_json;
  if (error) {
    out += ",\"error\":{\"code\":";
    json::append_string(out, error->code);
    out += ",\"message\":";
    json::append_string(out, error->message);
    out += error->retryable ? ",\"retryable\":true}" : ",\"retryable\":false}";
  }
  if (!ids.request.empty()) member("upstream_request_id", ids.request);
  if (!ids.response.empty()) member("upstream_response_id", ids.response);
  out += '}';
  return out;
}

}  // namespace tokenrelay::relay
