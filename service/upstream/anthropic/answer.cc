#include "service/upstream/anthropic/answer.h"

#include <algorithm>

#include "service/json/sax.h"
#include "service/json/utf8.h"
#include "service/json/write.h"

namespace tokenrelay::upstream {
namespace {

using Kind = AnthropicBlock::Kind;
using Taken = AnthropicAnswer::Taken;

constexpr size_t max_open_blocks = 64;
constexpr int max_tools = 1024;
constexpr size_t max_opaque_bytes = 1 << 20;

FinishReason reason_of(std::string_view raw) {
  if (raw == "end_turn" || raw == "stop_sequence") return FinishReason::stop;
  if (raw == "max_tokens" || raw == "model_context_window_exceeded") return FinishReason::length;
  if (raw == "tool_use") return FinishReason::tool_calls;
  if (raw == "refusal") return FinishReason::content_filter;
  return FinishReason::other;
}

bool has_members(std::string_view raw) {
  return raw.starts_with('{') && raw.find_first_not_of("{} \t\r\n") != raw.npos;
}

Taken alive(bool is_alive) {
  return is_alive ? Taken::event : Taken::gone;
}

}  // namespace

Taken AnthropicAnswer::take(std::string_view payload) {
  const AnthropicEvent event = read_anthropic_event(payload, scratch_);
  begun_ |= event.kind != AnthropicEvent::Kind::not_json && event.kind != AnthropicEvent::Kind::other;
  switch (event.kind) {
    case AnthropicEvent::Kind::not_json:
      return Taken::not_json;
    case AnthropicEvent::Kind::error:
      return Taken::error;
    case AnthropicEvent::Kind::block_start:
      return start_block(event.index, event.what);
    case AnthropicEvent::Kind::block_delta:
      return take_delta(event.index, event.what);
    case AnthropicEvent::Kind::block_stop:
      return stop_block(event.index);
    case AnthropicEvent::Kind::message_start:
      take_message(read_anthropic_message(event.what, scratch_), false);
      return Taken::event;
    case AnthropicEvent::Kind::message_delta:
      take_message(read_anthropic_message(event.what, scratch_), true);
      take_usage(event.usage, true);
      return Taken::event;
    case AnthropicEvent::Kind::message:
      return take_whole(event.what);
    case AnthropicEvent::Kind::message_stop:
      return finish_all() ? Taken::end : Taken::gone;
    case AnthropicEvent::Kind::other:
      return Taken::event;
  }
  return Taken::event;
}

void AnthropicAnswer::take_message(const AnthropicMessage& message, bool ended) {
  if (message.stop_reason) stop_reason_ = *message.stop_reason;
  take_usage(message.usage, ended);
}

// Counters are cumulative: a later value replaces the earlier one.
void AnthropicAnswer::take_usage(std::string_view raw, bool ended) {
  const AnthropicUsage now = read_anthropic_usage(raw, scratch_);
  if (now.input) counted_.input = now.input;
  if (now.cache_creation) counted_.cache_creation = now.cache_creation;
  if (now.cache_read) counted_.cache_read = now.cache_read;
  if (counted_.input) {
    usage_.input_tokens = *counted_.input + counted_.cache_creation.value_or(0) + counted_.cache_read.value_or(0);
  }
  if (ended && now.output) usage_.output_tokens = now.output;
}

AnthropicAnswer::Block* AnthropicAnswer::open_block(int64_t index) {
  const auto found =
      std::find_if(blocks_.begin(), blocks_.end(), [index](const Block& block) { return block.index == index; });
  return found == blocks_.end() ? nullptr : &*found;
}

AnthropicAnswer::Block* AnthropicAnswer::add_block(int64_t index, Kind kind) {
  if (blocks_.size() == max_open_blocks || (kind == Kind::tool_use && tools_ == max_tools)) return nullptr;
  blocks_.emplace_back();
  blocks_.back().index = index;
  blocks_.back().kind = kind;
  return &blocks_.back();
}

std::string_view AnthropicAnswer::text_of(std::string_view raw) {
  return json::Reader(raw, scratch_).string();
}

Taken AnthropicAnswer::start_block(int64_t index, std::string_view raw) {
  if (open_block(index) && stop_block(index) == Taken::gone) return Taken::gone;
  const AnthropicBlock start = read_anthropic_block(raw, scratch_);
  Block* block = add_block(index, start.kind);
  if (!block) return Taken::too_large;
  if (start.kind == Kind::text || start.kind == Kind::thinking) {
    if (start.kind == Kind::thinking) block->opaque = text_of(start.signature);
    if (block->opaque.size() > max_opaque_bytes) return Taken::too_large;
    return alive(say(*block, text_of(start.text)));
  }
  if (start.kind == Kind::redacted_thinking) block->opaque = text_of(start.data);
  if (start.kind != Kind::tool_use) return block->opaque.size() > max_opaque_bytes ? Taken::too_large : Taken::event;
  block->tool = tools_++;
  if (has_members(start.input)) block->input = start.input;
  const std::string id = start.id;
  transport::Lifeline::Watch watch(line_);
  handler_.on_tool_call(block->tool, id, start.name, {});
  return alive(!watch.gone());
}

Taken AnthropicAnswer::take_delta(int64_t index, std::string_view raw) {
  const AnthropicDelta delta = read_anthropic_delta(raw, scratch_);
  Block* block = open_block(index);
  // Some servers do not send the start of a plain block.
  if (!block && delta.kind == AnthropicDelta::Kind::text) block = add_block(index, Kind::text);
  if (!block && delta.kind == AnthropicDelta::Kind::thinking) block = add_block(index, Kind::thinking);
  return block ? take_piece(*block, delta) : Taken::event;
}

Taken AnthropicAnswer::take_piece(Block& block, const AnthropicDelta& delta) {
  const auto fits = [&](AnthropicDelta::Kind kind, Kind of) { return delta.kind == kind && block.kind == of; };
  if (fits(AnthropicDelta::Kind::text, Kind::text) || fits(AnthropicDelta::Kind::thinking, Kind::thinking)) {
    return alive(say(block, text_of(delta.piece)));
  }
  if (fits(AnthropicDelta::Kind::signature, Kind::thinking)) {
    block.opaque += text_of(delta.piece);
    return block.opaque.size() > max_opaque_bytes ? Taken::too_large : Taken::event;
  }
  if (!fits(AnthropicDelta::Kind::input_json, Kind::tool_use)) return Taken::event;
  const std::string_view piece = text_of(delta.piece);
  block.has_input |= !piece.empty();
  return alive(say(block, piece));
}

Taken AnthropicAnswer::stop_block(int64_t index) {
  Block* found = open_block(index);
  if (!found) return Taken::event;
  Block block = std::move(*found);
  blocks_.erase(blocks_.begin() + (found - blocks_.data()));
  return alive(finish(std::move(block)));
}

// A whole message: each block is started and stopped.
Taken AnthropicAnswer::take_whole(std::string_view raw) {
  const AnthropicMessage message = read_anthropic_message(raw, scratch_);
  take_message(message, true);
  Taken taken = Taken::event;
  std::string scratch;
  json::Reader in(message.content, scratch);
  transport::Lifeline::Watch watch(line_);
  in.array([&] {
    const std::string_view block = in.raw();
    taken = start_block(0, block);
    if (taken == Taken::event) taken = stop_block(0);
    if (taken != Taken::event) in.stop();
  });
  if (watch.gone()) return Taken::gone;
  return taken == Taken::event ? Taken::end : taken;
}

bool AnthropicAnswer::say(Block& block, std::string_view piece) {
  return hand_on(block, block.joiner.next(piece, joined_));
}

bool AnthropicAnswer::hand_on(const Block& block, std::string_view whole) {
  if (whole.empty()) return true;
  transport::Lifeline::Watch watch(line_);
  if (block.kind == Kind::text)
    handler_.on_text(whole);
  else if (block.kind == Kind::thinking)
    handler_.on_reasoning(whole);
  else
    handler_.on_tool_call(block.tool, {}, {}, whole);
  return !watch.gone();
}

// Takes a block that has ended; it is no longer among the open ones.
bool AnthropicAnswer::finish(Block block) {
  if (block.kind == Kind::tool_use && !block.has_input) {
    if (!say(block, block.input.empty() ? std::string_view("{}") : std::string_view(block.input))) return false;
  }
  if (!hand_on(block, block.joiner.flush())) return false;
  if (block.opaque.empty()) return true;
  return say_opaque(block.kind == Kind::redacted_thinking ? "redacted_thinking" : "signature", block.opaque);
}

bool AnthropicAnswer::finish_all() {
  while (!blocks_.empty()) {
    if (stop_block(blocks_.front().index) == Taken::gone) return false;
  }
  return true;
}

bool AnthropicAnswer::say_opaque(std::string_view type, std::string_view data) {
  std::string object = R"({"provider":"anthropic","type":")" + std::string(type) + R"(","data":)";
  json::append_string(object, data);
  object += '}';
  transport::Lifeline::Watch watch(line_);
  handler_.on_opaque(object);
  return !watch.gone();
}

// Blocks that never ended: an incomplete signature is dropped; arguments stay as far as they arrived.
bool AnthropicAnswer::flush() {
  while (!blocks_.empty()) {
    Block block = std::move(blocks_.front());
    blocks_.erase(blocks_.begin());
    if (!hand_on(block, block.joiner.flush())) return false;
  }
  return true;
}

Outcome AnthropicAnswer::outcome() const {
  Outcome outcome;
  outcome.finish_reason = reason_of(stop_reason_);
  if (outcome.finish_reason == FinishReason::stop && tools_ > 0) outcome.finish_reason = FinishReason::tool_calls;
  if (outcome.finish_reason == FinishReason::other) {
    outcome.finish_reason_raw = raw_reason(stop_reason_);
  }
  outcome.usage = usage_;
  return outcome;
}

}  // namespace tokenrelay::upstream
