#include "service/upstream/anthropic/event.h"

#include <algorithm>
#include <array>
#include <utility>

#include "service/json/joiner.h"
#include "service/json/sax.h"
#include "service/upstream/error.h"
#include "service/upstream/token_count.h"

namespace tokenrelay::upstream {
namespace {

using json::Reader;
using Event = AnthropicEvent::Kind;

template <class Kind, size_t count>
Kind kind_of(std::string_view word, const std::array<std::pair<std::string_view, Kind>, count>& words) {
  const auto found =
      std::find_if(words.begin(), words.end(), [word](const auto& known) { return known.first == word; });
  return found == words.end() ? Kind::other : found->second;
}

constexpr std::array<std::pair<std::string_view, Event>, 8> events = {{{"content_block_delta", Event::block_delta},
                                                                       {"content_block_start", Event::block_start},
                                                                       {"content_block_stop", Event::block_stop},
                                                                       {"message_start", Event::message_start},
                                                                       {"message_delta", Event::message_delta},
                                                                       {"message_stop", Event::message_stop},
                                                                       {"message", Event::message},
                                                                       {"error", Event::error}}};

constexpr std::array<std::pair<std::string_view, AnthropicBlock::Kind>, 4> blocks = {
    {{"text", AnthropicBlock::Kind::text},
     {"thinking", AnthropicBlock::Kind::thinking},
     {"redacted_thinking", AnthropicBlock::Kind::redacted_thinking},
     {"tool_use", AnthropicBlock::Kind::tool_use}}};

struct Named {
  std::string_view type, member;
  AnthropicDelta::Kind kind;
};
constexpr std::array<Named, 4> deltas = {{{"text_delta", "text", AnthropicDelta::Kind::text},
                                          {"input_json_delta", "partial_json", AnthropicDelta::Kind::input_json},
                                          {"thinking_delta", "thinking", AnthropicDelta::Kind::thinking},
                                          {"signature_delta", "signature", AnthropicDelta::Kind::signature}}};

}  // namespace

AnthropicEvent read_anthropic_event(std::string_view payload, std::string_view name, std::string& scratch) {
  AnthropicEvent event;
  Reader in(payload, scratch);
  if (in.peek() != Reader::Kind::object) {
    if (payload == "null") event.kind = Event::other;
    if (error_without_name(payload)) event.kind = Event::error;
    return event;
  }
  Event kind = Event::other;
  bool has_error = false, has_type = false;
  in.object([&](std::string_view key) {
    if (key == "type") {
      kind = kind_of(in.string(), events);
      has_type = true;
    } else if (key == "index") {
      event.index = in.integer().value_or(0);
    } else if (key == "delta" || key == "content_block" || key == "message") {
      event.what = in.raw();
    } else if (key == "usage") {
      event.usage = in.raw();
    } else if (key == "error") {
      has_error = read_error(in).has_value();
    }
  });
  if (!in.at_end()) return event;
  if (!has_type) kind = kind_of(name, events);
  if (kind == Event::other) has_error |= error_without_name(payload).has_value();
  event.kind = has_error ? Event::error : kind;
  if (event.kind == Event::message) event.what = payload;
  return event;
}

AnthropicBlock read_anthropic_block(std::string_view raw, std::string& scratch) {
  AnthropicBlock block;
  Reader in(raw, scratch);
  in.object([&](std::string_view key) {
    if (key == "type") {
      const std::string_view type = in.string();
      block.kind = kind_of(type, blocks);
      if (block.kind == AnthropicBlock::Kind::other) block.type = type;
    } else if (key == "id") {
      block.id = json::repaired(in.string());
    } else if (key == "name") {
      block.name = json::repaired(in.string());
    } else if (key == "text" || key == "thinking") {
      block.text = in.raw();
    } else if (key == "signature") {
      block.signature = in.raw();
    } else if (key == "data") {
      block.data = in.raw();
    } else if (key == "input") {
      block.input = in.raw();
    }
  });
  return block;
}

AnthropicDelta read_anthropic_delta(std::string_view raw, std::string& scratch) {
  AnthropicDelta delta;
  std::array<std::string_view, deltas.size()> pieces;
  size_t known = deltas.size();
  Reader in(raw, scratch);
  in.object([&](std::string_view key) {
    for (size_t i = 0; i < deltas.size(); ++i) {
      if (key != deltas[i].member) continue;
      pieces[i] = in.raw();
      return;
    }
    if (key != "type") return;
    const std::string_view type = in.string();
    for (size_t i = 0; i < deltas.size(); ++i) {
      if (type == deltas[i].type) known = i;
    }
  });
  if (known == deltas.size()) return delta;
  return {deltas[known].kind, pieces[known]};
}

AnthropicMessage read_anthropic_message(std::string_view raw, std::string& scratch) {
  AnthropicMessage message;
  Reader in(raw, scratch);
  in.object([&](std::string_view key) {
    if (key == "stop_reason" && in.peek() == Reader::Kind::string) {
      const std::string_view reason = in.string();
      if (!reason.empty() && reason != "null") message.stop_reason = std::string(reason);
    } else if (key == "stop_sequence" && in.peek() == Reader::Kind::string) {
      message.stop_sequence = std::string(in.string());
    } else if (key == "id") {
      message.id = std::string(in.string());
    } else if (key == "content") {
      message.content = in.raw();
    } else if (key == "usage") {
      message.usage = in.raw();
    }
  });
  return message;
}

AnthropicUsage read_anthropic_usage(std::string_view raw, std::string& scratch) {
  AnthropicUsage usage;
  Reader in(raw, scratch);
  in.object([&](std::string_view key) {
    if (key == "input_tokens")
      usage.input = read_count(in);
    else if (key == "cache_creation_input_tokens")
      usage.cache_creation = read_count(in);
    else if (key == "cache_read_input_tokens")
      usage.cache_read = read_count(in);
    else if (key == "output_tokens")
      usage.output = read_count(in);
    else if (key == "output_tokens_details" && in.peek() == Reader::Kind::object)
      in.object([&](std::string_view detail) {
        if (detail == "thinking_tokens") usage.thinking = read_count(in);
      });
  });
  return usage;
}

}  // namespace tokenrelay::upstream
