#include "service/upstream/chat/answer.h"

#include <array>
#include <utility>

#include "service/json/sax.h"
#include "service/upstream/chat/own_delta.h"
#include "service/upstream/token_count.h"

namespace tokenrelay::upstream {
namespace {

struct Reason {
  std::string_view word;
  FinishReason is;
};

// OpenAI's words, and those that servers behind its protocol have kept from others.
constexpr std::array<Reason, 15> reasons = {{{"stop", FinishReason::stop},
                                             {"STOP", FinishReason::stop},
                                             {"eos", FinishReason::stop},
                                             {"end_turn", FinishReason::stop},
                                             {"stop_sequence", FinishReason::stop},
                                             {"length", FinishReason::length},
                                             {"max_tokens", FinishReason::length},
                                             {"MAX_TOKENS", FinishReason::length},
                                             {"model_context_window_exceeded", FinishReason::length},
                                             {"tool_calls", FinishReason::tool_calls},
                                             {"tool_use", FinishReason::tool_calls},
                                             {"function_call", FinishReason::tool_calls},
                                             {"content_filter", FinishReason::content_filter},
                                             {"sensitive", FinishReason::content_filter},
                                             {"SAFETY", FinishReason::content_filter}}};

FinishReason reason_of(std::string_view raw) {
  for (const Reason& reason : reasons) {
    if (reason.word == raw) return reason.is;
  }
  return FinishReason::other;
}

Error failure_of(ErrorCode code, std::string message) {
  return {code, std::move(message), true, std::nullopt, 0};
}

}  // namespace

ChatAnswer::Taken ChatAnswer::take(std::string_view payload) {
  const auto delta = shape_.match(payload);
  if (own_.on() && !hand_on_own(payload, delta)) return Taken::gone;
  if (!delta) return take_whole(payload);
  if (delta->empty()) return Taken::chunk;
  is_whole_ = false;  // as of the chunk that was learned, whatever came since
  is_main_ = true;
  choice_ = 0;
  return (shape_is_text_ ? on_content(*delta) : on_reasoning(*delta)) ? Taken::chunk : Taken::gone;
}

// Only of choice 0, and while its text is told, do neutral events say what the chunks say.
bool ChatAnswer::hand_on_own(std::string_view payload, std::optional<std::string_view> delta) {
  using Voice = OwnEvent::Voice;
  const bool is_told = !main_ || *main_ == 0;
  if (delta && !delta->empty() && is_told &&
      own_.goes_on(payload, {*delta, shape_is_text_ ? Voice::text : Voice::reasoning}))
    return true;
  if (!json::is_json(payload)) return true;
  ChatOwnDelta own = read_own_delta(payload, scratch_);
  int call = 0;
  if (own.voice == Voice::tool_call) call = calls_.goes_on({0, own.call, {}, {}, own.said});
  if (own.said.empty() || !is_told || call < 0) return own_.event(payload, own.shows);
  return own_.delta(payload, {own.said, own.voice, call});
}

// Only the shape of a chunk that is one delta of choice 0 is remembered.
void ChatAnswer::learn(std::string_view payload, const ChatChunk& chunk) {
  const bool plain = said_ == 1 && !is_whole_ && is_main_ && chunk.seen == 1 && chunk.finished == 0 &&
                     !chunk.finish_reason && !chunk.usage && !chunk.error && !last_said_.empty();
  if (plain) shape_.learn(payload, last_said_);
}

ChatAnswer::Taken ChatAnswer::take_whole(std::string_view payload) {
  transport::Lifeline::Watch watch(line_);
  said_ = 0;
  ChatChunk chunk = read_chat_chunk(payload, scratch_, *this);
  if (watch.gone()) return Taken::gone;
  if (chunk.stopped) return Taken::too_large;
  if (!chunk.is_json) return Taken::not_json;
  learn(payload, chunk);
  if (id_.empty()) id_ = chunk.id;
  seen_ |= chunk.seen;
  has_image_ |= chunk.has_image;
  take_reason(chunk);
  if (chunk.usage) take_usage(*chunk.usage);
  if (!chunk.error) return Taken::chunk;
  error_ = std::move(*chunk.error);
  return Taken::error;
}

// Of one chunk the content comes before its reason.
void ChatAnswer::take_reason(ChatChunk& chunk) {
  finished_ |= chunk.finished;
  if (!chunk.finish_reason) return;
  const bool of_main = !main_ || (chunk.finished >> std::min<int64_t>(*main_, 63) & 1) != 0;
  // A last "stop" that follows nothing new, as some servers send one, does not say that a cut answer is whole.
  const bool says_less = mark_.stopped() && reason_of(*chunk.finish_reason) == FinishReason::stop;
  if (finish_reason_.empty() || (of_main && !says_less)) {
    finish_reason_ = std::move(*chunk.finish_reason);
    stop_sequence_ = stop_sequence_of(chunk.stop_sequence);
  }
  if ((seen_ & ~finished_) == 0) mark_.reason();
}

void ChatAnswer::take_usage(const Usage& usage) {
  update_usage(usage_, usage);
  if (usage_.input_tokens == 0) usage_.input_tokens.reset();  // no prompt has none
}

void ChatAnswer::on_choice(int64_t index, bool is_whole) {
  is_whole_ = is_whole;
  is_main_ = !main_ || *main_ == index;
  choice_ = index;
}

// Of a stream in pieces a whole message at the end says nothing new; in a stream of messages each repeats the one
// before it, or goes on from it.
std::string_view ChatAnswer::unsaid(std::string_view piece, Said& said, bool by_pieces) {
  if (by_pieces) return {};
  const std::string_view rest = said.rest_of(piece).value_or(piece);
  said.add(rest);
  return rest;
}

bool ChatAnswer::on_content(std::string_view piece) {
  if (!is_main_) return true;
  if (is_whole_) {
    piece = unsaid(piece, whole_text_, text_by_pieces_);
    if (piece.empty()) return true;
  }
  text_by_pieces_ |= !is_whole_;
  main_ = choice_;
  shape_is_text_ = true;
  ++said_;
  last_said_ = piece;
  mark_.content();
  const std::string_view whole = text_.next(piece, joined_);
  if (whole.empty()) return true;
  transport::Lifeline::Watch watch(line_);
  handler_.on_text(whole);
  return !watch.gone();
}

bool ChatAnswer::on_reasoning(std::string_view piece) {
  if (!is_main_) return true;
  if (is_whole_) {
    piece = unsaid(piece, whole_reasoning_, reasoning_by_pieces_);
    if (piece.empty()) return true;
  }
  reasoning_by_pieces_ |= !is_whole_;
  main_ = choice_;
  shape_is_text_ = false;
  ++said_;
  last_said_ = piece;
  mark_.content();
  const std::string_view whole = reasoning_.next(piece, joined_);
  if (whole.empty()) return true;
  transport::Lifeline::Watch watch(line_);
  handler_.on_reasoning(whole);
  return !watch.gone();
}

bool ChatAnswer::on_tool(const ToolPiece& piece) {
  said_ += 2;  // so that learn() ignores the chunk
  if (is_whole_ && calls_by_pieces_) return true;
  calls_by_pieces_ |= !is_whole_;
  mark_.content();
  return calls_.take(piece);
}

bool ChatAnswer::flush() {
  transport::Lifeline::Watch watch(line_);
  if (const auto rest = reasoning_.flush(); !rest.empty()) handler_.on_reasoning(rest);
  if (watch.gone()) return false;
  if (const auto rest = text_.flush(); !rest.empty()) handler_.on_text(rest);
  return !watch.gone() && calls_.flush();
}

Outcome ChatAnswer::outcome() const {
  Outcome outcome;
  outcome.usage = usage_;
  outcome.finish_reason = reason_of(finish_reason_);
  if (outcome.finish_reason == FinishReason::stop) outcome.stop_sequence = stop_sequence_;
  if (outcome.finish_reason == FinishReason::stop && calls_.any()) outcome.finish_reason = FinishReason::tool_calls;
  if (outcome.finish_reason == FinishReason::other) outcome.finish_reason_raw = raw_reason(finish_reason_);
  if (outcome.finish_reason == FinishReason::other && is_failure_reason(finish_reason_)) {
    outcome.failure = error_of_reason(finish_reason_);
  } else if (calls_.any_nameless()) {
    outcome.failure = failure_of(ErrorCode::upstream_protocol, "the upstream sent a tool call without a name");
  }
  return outcome;
}

}  // namespace tokenrelay::upstream
