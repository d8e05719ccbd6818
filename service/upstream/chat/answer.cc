#include "service/upstream/chat/answer.h"

#include <algorithm>

#include "service/json/utf8.h"

namespace tokenrelay::upstream {
namespace {

constexpr size_t max_tools = 1024;

FinishReason reason_of(const std::string& raw) {
  if (raw == "stop") return FinishReason::stop;
  if (raw == "length") return FinishReason::length;
  if (raw == "tool_calls" || raw == "function_call") return FinishReason::tool_calls;
  if (raw == "content_filter") return FinishReason::content_filter;
  return FinishReason::other;
}

}  // namespace

ChatAnswer::Taken ChatAnswer::take(std::string_view payload) {
  const auto delta = finish_known_ ? std::nullopt : shape_.match(payload);
  if (!delta) return take_whole(payload);
  if (delta->empty()) return Taken::chunk;
  return (shape_is_text_ ? on_content(*delta) : on_reasoning(*delta)) ? Taken::chunk : Taken::gone;
}

// Only the shape of a chunk that is one delta of choice 0 is remembered.
void ChatAnswer::learn(std::string_view payload, const ChatChunk& chunk) {
  const bool plain = said_ == 1 && chunk.seen == 1 && chunk.finished == 0 && !chunk.finish_reason && !chunk.usage &&
                     !chunk.error && !last_said_.empty();
  if (plain) shape_.learn(payload, last_said_);
}

ChatAnswer::Taken ChatAnswer::take_whole(std::string_view payload) {
  transport::Lifeline::Watch watch(line_);
  said_ = 0;
  ChatChunk chunk = read_chat_chunk(payload, scratch_, *this);
  if (chunk.stopped || watch.gone()) return Taken::gone;
  if (!chunk.is_json) return Taken::not_json;
  learn(payload, chunk);
  seen_ |= chunk.seen;
  // Some servers send "" instead of null: it is a finish_reason only in a chunk without content, and until more content
  // follows.
  const bool empty_reason = chunk.finish_reason && chunk.finish_reason->empty();
  if (finish_known_ && finish_reason_.empty() && chunk.has_content) {
    finished_ &= ~uint64_t{1};
    finish_known_ = false;
  }
  if (empty_reason && chunk.has_content) {
    chunk.finished &= ~uint64_t{1};
    chunk.finish_reason.reset();
  }
  finished_ |= chunk.finished;
  if (chunk.finish_reason && !(empty_reason && finish_known_)) {
    finish_reason_ = std::move(*chunk.finish_reason);
    finish_known_ = true;
  }
  if (chunk.usage) usage_ = *chunk.usage;
  if (!chunk.error) return Taken::chunk;
  error_ = std::move(*chunk.error);
  return Taken::error;
}

bool ChatAnswer::on_content(std::string_view piece) {
  shape_is_text_ = true;
  ++said_;
  last_said_ = piece;
  const std::string_view whole = text_.next(piece, joined_);
  if (whole.empty()) return true;
  transport::Lifeline::Watch watch(line_);
  handler_.on_text(whole);
  return !watch.gone();
}

bool ChatAnswer::on_reasoning(std::string_view piece) {
  shape_is_text_ = false;
  ++said_;
  last_said_ = piece;
  const std::string_view whole = reasoning_.next(piece, joined_);
  if (whole.empty()) return true;
  transport::Lifeline::Watch watch(line_);
  handler_.on_reasoning(whole);
  return !watch.gone();
}

// Which call a piece belongs to: by the upstream's index, else by its id, else the last call. A known index with
// another id and a name is a new call (some servers number every call 0).
size_t ChatAnswer::tool_of(const ToolPiece& piece) {
  const auto continues = [&](const Tool& tool) {
    if (piece.index ? tool.index != *piece.index : !piece.id.empty() && tool.id != piece.id) return false;
    return piece.id.empty() || piece.name.empty() || tool.id.empty() || tool.id == piece.id;
  };
  const auto found = std::find_if(tools_.rbegin(), tools_.rend(), continues);
  if (found != tools_.rend()) return static_cast<size_t>(tools_.rend() - found) - 1;
  if (tools_.size() == max_tools) return max_tools - 1;
  tools_.emplace_back();
  tools_.back().index = piece.index.value_or(-1);
  return tools_.size() - 1;
}

bool ChatAnswer::on_tool(const ToolPiece& piece) {
  said_ += 2;  // so that learn() ignores the chunk
  const size_t number = tool_of(piece);
  Tool& tool = tools_[number];
  if (tool.announced) return hand_on(number, piece.arguments);
  if (tool.id.empty()) tool.id = json::repaired(piece.id);
  if (tool.name.empty()) tool.name = json::repaired(piece.name);
  tool.held += tool.joiner.next(piece.arguments, joined_);
  return tool.name.empty() || announce(number);
}

// The first piece has the call's id and name; later pieces do not.
bool ChatAnswer::announce(size_t number) {
  Tool& tool = tools_[number];
  tool.announced = true;
  const std::string arguments = std::move(tool.held);
  const std::string id = tool.id, name = tool.name;  // the handler may destroy the answer
  transport::Lifeline::Watch watch(line_);
  handler_.on_tool_call(static_cast<int>(number), id, name, arguments);
  return !watch.gone();
}

bool ChatAnswer::hand_on(size_t number, std::string_view arguments) {
  const std::string_view whole = tools_[number].joiner.next(arguments, joined_);
  if (whole.empty()) return true;
  transport::Lifeline::Watch watch(line_);
  handler_.on_tool_call(static_cast<int>(number), {}, {}, whole);
  return !watch.gone();
}

bool ChatAnswer::flush() {
  transport::Lifeline::Watch watch(line_);
  if (const auto rest = reasoning_.flush(); !rest.empty()) handler_.on_reasoning(rest);
  if (watch.gone()) return false;
  if (const auto rest = text_.flush(); !rest.empty()) handler_.on_text(rest);
  return !watch.gone() && flush_tools();
}

bool ChatAnswer::flush_tools() {
  for (size_t number = 0; number < tools_.size(); ++number) {
    const std::string_view rest = tools_[number].joiner.flush();
    if (!tools_[number].announced) {
      tools_[number].held += rest;
      if (!announce(number)) return false;
    } else if (!rest.empty()) {
      transport::Lifeline::Watch watch(line_);
      handler_.on_tool_call(static_cast<int>(number), {}, {}, rest);
      if (watch.gone()) return false;
    }
  }
  return true;
}

Outcome ChatAnswer::outcome() const {
  Outcome outcome;
  outcome.finish_reason = finish_known_ ? reason_of(finish_reason_) : FinishReason::other;
  if (outcome.finish_reason == FinishReason::stop && !tools_.empty()) outcome.finish_reason = FinishReason::tool_calls;
  if (outcome.finish_reason == FinishReason::other) {
    outcome.finish_reason_raw = raw_reason(finish_reason_);
  }
  outcome.usage = usage_;
  return outcome;
}

}  // namespace tokenrelay::upstream
