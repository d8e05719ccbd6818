#include "service/surface/gemini/chunk.h"

#include "service/json/write.h"

namespace tokenrelay::surface {

using json::Value;

void append_gemini_chunk(std::string& out, std::string_view parts, std::string_view finish_reason,
                         std::string_view usage, std::string_view tail) {
  out += R"({"candidates":[{"content":{"parts":[)";
  out += parts;
  out += R"(],"role":"model"})";
  if (!finish_reason.empty()) {
    out += R"(,"finishReason":")";
    out += finish_reason;
    out += '"';
  }
  out += R"(,"index":0}])";
  if (!usage.empty()) {
    out += R"(,"usageMetadata":)";
    out += usage;
  }
  out += ',';
  out += tail;
  out += '}';
}

std::string gemini_tail(const GeminiFacts& facts) {
  std::string tail = R"("modelVersion":)";
  json::append_string(tail, facts.model);
  return tail + R"(,"responseId":")" + facts.id + '"';
}

void append_gemini_text(std::string& out, std::string_view text, bool is_thought) {
  out += R"({"text":)";
  json::append_string(out, text);
  out += is_thought ? R"(,"thought":true})" : "}";
}

std::string gemini_call_part(std::string_view id, std::string_view name, std::string_view arguments,
                             const std::string& signature) {
  auto args = json::parse(arguments.empty() ? "{}" : arguments, json::deepest);
  if (!args || !args->is_object()) return {};
  Value part = {{"functionCall", Value{{"id", std::string(id)}, {"name", std::string(name)}, {"args", *args}}}};
  if (!signature.empty()) part["thoughtSignature"] = signature;
  return json::dump(part);
}

std::string gemini_finish_reason(const Done& done, bool has_malformed_call) {
  if (done.finish_reason == "length") return "MAX_TOKENS";
  if (done.finish_reason == "content_filter") return "SAFETY";
  if (done.finish_reason != "stop" && done.finish_reason != "tool_calls") return "OTHER";  // cancelled, too
  return has_malformed_call ? "MALFORMED_FUNCTION_CALL" : "STOP";
}

std::string gemini_usage(const Done& done) {
  if (!done.counted()) return {};
  const upstream::Usage& said = done.usage;
  const uint64_t in = said.input_tokens.value_or(0), out = said.output_tokens.value_or(0);
  const uint64_t thoughts = std::min(said.reasoning_tokens.value_or(0), out);  // not among the candidates' here
  Value usage = {{"promptTokenCount", in}, {"candidatesTokenCount", out - thoughts}, {"totalTokenCount", in + out}};
  if (said.reasoning_tokens) usage["thoughtsTokenCount"] = thoughts;
  if (said.cached_tokens) usage["cachedContentTokenCount"] = *said.cached_tokens;
  return json::dump(usage);
}

}  // namespace tokenrelay::surface
