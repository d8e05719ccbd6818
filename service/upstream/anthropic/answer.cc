#include "service/upstream/anthropic/answer.h"

#include <algorithm>

#include "service/json/sax.h"
#include "service/json/write.h"
#include "service/upstream/error.h"
#include "service/upstream/token_count.h"

namespace tokenrelay::upstream {
namespace {

using Kind = AnthropicBlock::Kind;
using Taken = AnthropicAnswer::Taken;

constexpr size_t max_open_blocks = 64;
constexpr int max_tools = 1024;
constexpr size_t max_id_bytes = 256;
constexpr size_t max_opaque_bytes = 1 << 20;   // of one block
constexpr size_t max_held_bytes = 8u << 20;    // of all open ones
constexpr size_t max_start_bytes = 64u << 10;  // a longer text is not repeated by a delta

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

Taken AnthropicAnswer::take(std::string_view payload, std::string_view name) {
  const AnthropicEvent event = read_anthropic_event(payload, name, scratch_);
  begun_ |= event.kind != AnthropicEvent::Kind::not_json && event.kind != AnthropicEvent::Kind::other;
  if (!own_.on() || event.kind == AnthropicEvent::Kind::not_json) return take_kind(event);
  payload_ = payload;
  // Blocks and deltas are handed on where it is known what they say; a whole message is told in neutral words only.
  const bool later = event.kind == AnthropicEvent::Kind::block_start ||
                     event.kind == AnthropicEvent::Kind::block_delta || event.kind == AnthropicEvent::Kind::message;
  if (event.kind == AnthropicEvent::Kind::block_stop) {
    const Block* const block = open_block(event.index);
    if (block && !hand_on_signature(*block)) return Taken::gone;
  }
  if (!later && !hand_on_own(false)) return Taken::gone;
  return take_kind(event);
}

bool AnthropicAnswer::hand_on_own(const AnthropicDelta& delta, OwnEvent::Voice voice, int tool) {
  if (!own_.on()) return true;
  if (delta.piece.size() < 2 || delta.piece.front() != '"') return hand_on_own(true);
  return own_.delta(payload_, {delta.piece.substr(1, delta.piece.size() - 2), voice, tool});
}

// SDKs replace a signature by the next piece of it, so it is sent whole, before its block ends.
bool AnthropicAnswer::hand_on_signature(const Block& block) {
  if (block.signatures == 0) return true;
  if (block.signatures == 1) return own_.event(block.own_signature, true);
  std::string event = R"({"type":"content_block_delta","index":)" + std::to_string(block.index) +
                      R"(,"delta":{"type":"signature_delta","signature":)";
  json::append_string(event, block.opaque);
  return own_.event(event + "}}", true);
}

Taken AnthropicAnswer::take_kind(const AnthropicEvent& event) {
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
      return Taken::end;
    case AnthropicEvent::Kind::other:
      return Taken::event;
  }
  return Taken::event;
}

void AnthropicAnswer::take_message(const AnthropicMessage& message, bool ended) {
  if (id_.empty()) id_ = message.id.substr(0, max_id_bytes);
  if (message.stop_reason) {
    stop_reason_ = *message.stop_reason;
    stop_sequence_ = stop_sequence_of(message.stop_sequence);
    mark_.reason();
  }
  take_usage(message.usage, ended);
}

// Counters are cumulative: a later value replaces the earlier one.
void AnthropicAnswer::take_usage(std::string_view raw, bool ended) {
  if (raw.empty()) return;
  const AnthropicUsage now = read_anthropic_usage(raw, scratch_);
  update_count(counted_.input, now.input);
  update_count(counted_.cache_creation, now.cache_creation);
  update_count(counted_.cache_read, now.cache_read);
  const uint64_t input =
      counted_.input.value_or(0) + counted_.cache_creation.value_or(0) + counted_.cache_read.value_or(0);
  if (input > 0) usage_.input_tokens = input;  // no prompt has none
  usage_.cached_tokens = counted_.cache_read;
  usage_.cache_write_tokens = counted_.cache_creation;
  if (!ended) return;
  update_count(usage_.output_tokens, now.output);
  update_count(usage_.reasoning_tokens, now.thinking);
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

bool AnthropicAnswer::holds_too_much(const Block& latest) const {
  size_t held = 0;
  for (const Block& block : blocks_) held += block.opaque.size() + block.input.size();
  return latest.opaque.size() > max_opaque_bytes || held > max_held_bytes;
}

// The only open block of a kind; null if there are none or several.
AnthropicAnswer::Block* AnthropicAnswer::only_open(Kind kind) {
  Block* only = nullptr;
  for (Block& block : blocks_) {
    if (block.kind != kind) continue;
    if (only) return nullptr;
    only = &block;
  }
  return only;
}

std::string_view AnthropicAnswer::text_of(std::string_view raw) {
  return json::Reader(raw, scratch_).string();
}

Taken AnthropicAnswer::start_block(int64_t index, std::string_view raw) {
  const AnthropicBlock start = read_anthropic_block(raw, scratch_);
  const bool waits = (start.kind == Kind::text && text_of(start.text).empty()) ||
                     (start.kind == Kind::thinking && text_of(start.text).empty());
  if (!hand_on_own(!waits)) return Taken::gone;
  if (start.kind == Kind::tool_use) return start_tool(index, start);
  if (open_block(index) && stop_block(index) == Taken::gone) return Taken::gone;
  Block* block = add_block(index, start.kind);
  if (!block) return Taken::too_large;
  if (start.kind == Kind::other) left_out_.add(start.type);
  if (start.kind == Kind::thinking) block->opaque = text_of(start.signature);
  if (start.kind == Kind::redacted_thinking) block->opaque = text_of(start.data);
  if (holds_too_much(*block)) return Taken::too_large;
  if (start.kind != Kind::text && start.kind != Kind::thinking) return Taken::event;
  const std::string text(text_of(start.text));
  if (text.size() <= max_start_bytes) block->start = text;
  if (!text.empty()) mark_.content();
  return alive(say(*block, start.kind == Kind::text ? Said::text : Said::reasoning, text));
}

Taken AnthropicAnswer::start_tool(int64_t index, const AnthropicBlock& start) {
  if (start.name.empty()) return Taken::nameless;
  if (open_block(index) && stop_block(index) == Taken::gone) return Taken::gone;
  Block* block = add_block(index, Kind::tool_use);
  if (!block) return Taken::too_large;
  block->tool = tools_++;
  if (has_members(start.input)) block->input = start.input;
  if (holds_too_much(*block)) return Taken::too_large;
  mark_.content();
  transport::Lifeline::Watch watch(line_);
  handler_.on_tool_call(block->tool, start.id, start.name, {});
  return alive(!watch.gone());
}

Taken AnthropicAnswer::take_delta(int64_t index, std::string_view raw) {
  const AnthropicDelta delta = read_anthropic_delta(raw, scratch_);
  switch (delta.kind) {
    case AnthropicDelta::Kind::text:
    case AnthropicDelta::Kind::thinking:
      return take_text(index, delta);
    case AnthropicDelta::Kind::signature:
      return take_signature(index, delta);
    case AnthropicDelta::Kind::input_json:
      return take_input(index, delta);
    case AnthropicDelta::Kind::other:
      break;
  }
  return alive(hand_on_own(true));
}

Taken AnthropicAnswer::take_text(int64_t index, const AnthropicDelta& delta) {
  const bool is_text = delta.kind == AnthropicDelta::Kind::text;
  if (!hand_on_own(delta, is_text ? OwnEvent::Voice::text : OwnEvent::Voice::reasoning, 0)) return Taken::gone;
  Block* block = open_block(index);
  // Some servers do not send the start of a plain block.
  if (!block) block = add_block(index, is_text ? Kind::text : Kind::thinking);
  if (!block) return Taken::too_large;
  const std::string_view piece = text_of(delta.piece);
  if (piece.empty()) return Taken::event;
  mark_.content();
  if (!block->start.empty()) {
    const bool repeats = piece == block->start;
    block->start.clear();
    if (repeats) return Taken::event;
  }
  return alive(say(*block, is_text ? Said::text : Said::reasoning, piece));
}

Taken AnthropicAnswer::take_signature(int64_t index, const AnthropicDelta& delta) {
  const std::string_view piece = text_of(delta.piece);
  if (piece.empty()) return alive(hand_on_own(true));
  Block* block = open_block(index);
  if (!block || block->kind != Kind::thinking) block = only_open(Kind::thinking);
  if (!block) block = add_block(index, Kind::thinking);
  if (!block) return Taken::too_large;
  block->opaque += piece;
  if (own_.on() && ++block->signatures == 1) block->own_signature = payload_;
  return holds_too_much(*block) ? Taken::too_large : Taken::event;
}

Taken AnthropicAnswer::take_input(int64_t index, const AnthropicDelta& delta) {
  Block* block = open_block(index);
  if (block && block->kind == Kind::other) return alive(hand_on_own(true));  // a server tool's
  if (!block || block->kind != Kind::tool_use) block = only_open(Kind::tool_use);
  const std::string_view piece = text_of(delta.piece);
  if (piece.empty()) return alive(hand_on_own(true));
  if (!block) return Taken::homeless;
  // Some servers send {} and then the arguments. If none come, finish() says it.
  if (!block->has_input && piece == "{}") return alive(hand_on_own(true));
  if (!hand_on_own(delta, OwnEvent::Voice::tool_call, block->tool)) return Taken::gone;
  block->has_input = true;
  mark_.content();
  return alive(say(*block, Said::arguments, piece));
}

// There are two of one index where a signature came in a block of text.
Taken AnthropicAnswer::stop_block(int64_t index) {
  while (Block* found = open_block(index)) {
    Block block = std::move(*found);
    blocks_.erase(blocks_.begin() + (found - blocks_.data()));
    if (!finish(std::move(block))) return Taken::gone;
  }
  return Taken::event;
}

// A whole message: each block is started and stopped.
Taken AnthropicAnswer::take_whole(std::string_view raw) {
  const AnthropicMessage message = read_anthropic_message(raw, scratch_);
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
  take_message(message, true);
  return taken == Taken::event ? Taken::end : taken;
}

bool AnthropicAnswer::say(Block& block, Said what, std::string_view piece) {
  json::Joiner& joiner =
      what == Said::text ? block.text : (what == Said::reasoning ? block.reasoning : block.arguments);
  return hand_on(what, block.tool, joiner.next(piece, joined_));
}

bool AnthropicAnswer::hand_on(Said what, int tool, std::string_view whole) {
  if (whole.empty()) return true;
  transport::Lifeline::Watch watch(line_);
  if (what == Said::text)
    handler_.on_text(whole);
  else if (what == Said::reasoning)
    handler_.on_reasoning(whole);
  else
    handler_.on_tool_call(tool, {}, {}, whole);
  return !watch.gone();
}

// What the joiners of a block that is no longer among the open ones have held back.
bool AnthropicAnswer::hand_on_rest(Block& block) {
  return hand_on(Said::reasoning, block.tool, block.reasoning.flush()) &&
         hand_on(Said::text, block.tool, block.text.flush()) &&
         hand_on(Said::arguments, block.tool, block.arguments.flush());
}

// Takes a block that has ended; it is no longer among the open ones.
bool AnthropicAnswer::finish(Block block) {
  if (block.kind == Kind::tool_use && !block.has_input) {
    const std::string_view input = block.input.empty() ? std::string_view("{}") : std::string_view(block.input);
    if (!say(block, Said::arguments, input)) return false;
  }
  if (!hand_on_rest(block)) return false;
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

// A server may leave out the last stops. But of an answer that was cut, an incomplete signature is dropped, and
// arguments stay as far as they arrived.
bool AnthropicAnswer::flush() {
  if (mark_.stopped()) return finish_all();
  while (!blocks_.empty()) {
    Block block = std::move(blocks_.front());
    blocks_.erase(blocks_.begin());
    if (!hand_on_rest(block)) return false;
  }
  return true;
}

std::string_view AnthropicAnswer::left_out() const {
  return explained() || own_.on() ? std::string_view() : left_out_.names();
}

bool AnthropicAnswer::explained() const {
  const FinishReason reason = reason_of(stop_reason_);
  return reason == FinishReason::length || reason == FinishReason::content_filter || stop_reason_ == "pause_turn" ||
         stop_reason_ == "compaction";
}

Outcome AnthropicAnswer::outcome() const {
  Outcome outcome;
  outcome.finish_reason = reason_of(stop_reason_);
  if (outcome.finish_reason == FinishReason::stop && tools_ > 0) outcome.finish_reason = FinishReason::tool_calls;
  if (outcome.finish_reason == FinishReason::other) {
    outcome.finish_reason_raw = raw_reason(stop_reason_);
  }
  outcome.stop_sequence = stop_sequence_;
  outcome.usage = usage_;
  if (outcome.finish_reason == FinishReason::other && is_failure_reason(stop_reason_)) {
    outcome.failure = error_of_reason(stop_reason_);
  }
  return outcome;
}

}  // namespace tokenrelay::upstream
