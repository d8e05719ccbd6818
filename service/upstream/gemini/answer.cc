#include "service/upstream/gemini/answer.h"

#include <algorithm>
#include <array>

#include "service/json/sax.h"
#include "service/json/write.h"
#include "service/upstream/error.h"

namespace tokenrelay::upstream {
namespace {

using Taken = GeminiAnswer::Taken;

constexpr int max_tools = 1024;
constexpr size_t max_signature_bytes = 1 << 20;

FinishReason reason_of(std::string_view raw) {
  static constexpr std::array<std::string_view, 9> filtered = {
      "SAFETY",     "RECITATION",   "BLOCKLIST",        "PROHIBITED_CONTENT",
      "SPII",       "IMAGE_SAFETY", "IMAGE_RECITATION", "IMAGE_PROHIBITED_CONTENT",
      "MODEL_ARMOR"};
  if (raw == "STOP") return FinishReason::stop;
  if (raw == "MAX_TOKENS") return FinishReason::length;
  if (std::find(filtered.begin(), filtered.end(), raw) != filtered.end()) return FinishReason::content_filter;
  return FinishReason::other;
}

// The model did something wrong. Where it had said nothing before, there is no answer; the next try may have one.
bool is_fault(std::string_view raw) {
  static constexpr std::array<std::string_view, 4> faults = {"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL",
                                                             "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"};
  return std::find(faults.begin(), faults.end(), raw) != faults.end();
}

bool is_error(std::string_view raw) {
  std::string scratch;
  json::Reader in(raw, scratch);
  return !raw.empty() && read_error(in).has_value();
}

}  // namespace

Taken GeminiAnswer::take(std::string_view payload) {
  const GeminiChunk chunk = read_gemini_chunk(payload, scratch_);
  if (!chunk.is_json) return Taken::not_json;
  if (own_.on() && payload.starts_with('{') && !hand_on_own(payload, chunk.parts)) return Taken::gone;
  if (chunk.has_error) return Taken::error;
  begun_ |= chunk.is_response;
  if (id_.empty()) id_ = chunk.id;
  blocked_ |= chunk.block_reason.has_value();
  if (chunk.is_grounded) left_out_.add("groundingMetadata");
  take_usage(chunk.usage);
  transport::Lifeline::Watch watch(line_);
  const Taken taken = take_parts(chunk.parts);
  if (watch.gone()) return Taken::gone;
  if (taken == Taken::chunk && is_error(chunk.error)) {
    error_ = R"({"error":)" + std::string(chunk.error) + "}";
    return Taken::error;
  }
  if (!chunk.finish_reason) return taken;
  finish_reason_ = *chunk.finish_reason;
  finish_message_ = chunk.finish_message;
  mark_.reason();
  return taken;
}

// A chunk with one part of text is a delta.
bool GeminiAnswer::hand_on_own(std::string_view payload, std::string_view parts) {
  using Voice = OwnEvent::Voice;
  GeminiPart only;
  int64_t count = 0;
  bool shows = false;
  std::string scratch;
  json::Reader in(parts, scratch);
  if (!parts.empty()) {
    in.array([&] {
      only = read_gemini_part(in.raw(), scratch_);
      ++count;
      shows |= only.kind != GeminiPart::Kind::text || only.text.size() > 2;
    });
  }
  const bool delta = count == 1 && only.kind == GeminiPart::Kind::text && only.text.size() > 2 &&
                     only.text.starts_with('"') && only.signature.empty();
  if (!delta) return own_.event(payload, shows);
  return own_.delta(payload,
                    {only.text.substr(1, only.text.size() - 2), only.is_thought ? Voice::reasoning : Voice::text});
}

// Counters are cumulative: a later value replaces the earlier one.
void GeminiAnswer::take_usage(std::string_view raw) {
  if (raw.empty()) return;
  read_gemini_usage(raw, scratch_, counted_);
  const uint64_t input = counted_.prompt.value_or(0) + counted_.tool_prompt.value_or(0);
  if (input > 0) usage_.input_tokens = input;  // no prompt has none
  if (counted_.candidates || counted_.thoughts) {
    usage_.output_tokens = counted_.candidates.value_or(0) + counted_.thoughts.value_or(0);
  }
  usage_.cached_tokens = counted_.cached;
  usage_.reasoning_tokens = counted_.thoughts;
  usage_.audio_input_tokens = counted_.prompt_audio;
  usage_.audio_output_tokens = counted_.candidates_audio;
}

Taken GeminiAnswer::take_parts(std::string_view raw) {
  Taken taken = Taken::chunk;
  std::string scratch;  // not scratch_: a handler may destroy the answer, and that with it
  json::Reader in(raw, scratch);
  if (raw.empty()) return taken;
  in.array([&] {
    taken = take_part(read_gemini_part(in.raw(), scratch_));
    if (taken != Taken::chunk) in.stop();
  });
  return taken;
}

Taken GeminiAnswer::take_part(const GeminiPart& part) {
  if (part.kind == GeminiPart::Kind::function_call) return take_call(part);
  if (part.kind == GeminiPart::Kind::text && !say(part)) return Taken::gone;
  if (part.kind == GeminiPart::Kind::other) left_out_.add(part.type);
  return say_signature(part.signature, -1);
}

bool GeminiAnswer::say(const GeminiPart& part) {
  const std::string_view piece = json::Reader(part.text, scratch_).string();
  if (!piece.empty()) mark_.content();
  const std::string_view whole = (part.is_thought ? reasoning_ : text_).next(piece, joined_);
  if (whole.empty()) return true;
  transport::Lifeline::Watch watch(line_);
  if (part.is_thought)
    handler_.on_reasoning(whole);
  else
    handler_.on_text(whole);
  return !watch.gone();
}

Taken GeminiAnswer::take_call(const GeminiPart& part) {
  if (part.is_partial) return own_.on() ? Taken::chunk : Taken::partial;
  if (part.name.empty()) return part.args.empty() ? Taken::chunk : Taken::nameless;
  if (tools_ == max_tools) return Taken::too_large;
  const int number = tools_++;
  mark_.content();
  transport::Lifeline::Watch watch(line_);
  handler_.on_tool_call(number, part.id, part.name, part.args.empty() ? "{}" : std::string_view(part.args));
  return watch.gone() ? Taken::gone : say_signature(part.signature, number);
}

Taken GeminiAnswer::say_signature(std::string_view raw, int tool) {
  if (raw.empty()) return Taken::chunk;
  const std::string_view signature = json::Reader(raw, scratch_).string();
  if (signature.empty()) return Taken::chunk;
  if (signature.size() > max_signature_bytes) return Taken::too_large;
  std::string object = R"({"provider":"gemini","type":"thought_signature","data":)";
  json::append_string(object, signature);
  if (tool >= 0) object += R"(,"index":)" + std::to_string(tool);
  object += '}';
  transport::Lifeline::Watch watch(line_);
  handler_.on_opaque(object);
  return watch.gone() ? Taken::gone : Taken::chunk;
}

bool GeminiAnswer::flush() {
  transport::Lifeline::Watch watch(line_);
  if (const auto rest = reasoning_.flush(); !rest.empty()) handler_.on_reasoning(rest);
  if (watch.gone()) return false;
  if (const auto rest = text_.flush(); !rest.empty()) handler_.on_text(rest);
  return !watch.gone();
}

std::string_view GeminiAnswer::left_out() const {
  return explained() || own_.on() ? std::string_view() : left_out_.names();
}

bool GeminiAnswer::explained() const {
  if (finish_reason_.empty()) return blocked_;
  const FinishReason reason = reason_of(finish_reason_);
  return reason == FinishReason::length || reason == FinishReason::content_filter;
}

Outcome GeminiAnswer::outcome() const {
  Outcome outcome;
  outcome.finish_reason = finish_reason_.empty() && blocked_ ? FinishReason::content_filter : reason_of(finish_reason_);
  if (outcome.finish_reason == FinishReason::stop && tools_ > 0) outcome.finish_reason = FinishReason::tool_calls;
  if (outcome.finish_reason == FinishReason::other) {
    outcome.finish_reason_raw = raw_reason(finish_reason_);
  }
  outcome.usage = usage_;
  const bool failed = outcome.finish_reason == FinishReason::other && is_failure_reason(finish_reason_);
  if (failed || (empty() && is_fault(finish_reason_))) {
    outcome.failure = error_of_reason(finish_reason_);
    if (!finish_message_.empty()) outcome.failure->message += ": " + finish_message_;
  }
  return outcome;
}

}  // namespace tokenrelay::upstream
