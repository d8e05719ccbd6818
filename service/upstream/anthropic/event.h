// One payload of the Messages dialect: an event of a stream, a whole message or an error (DIALECTS.md, Messages).
//
// Its parts are given as raw JSON, views into the payload; a string is read where it is needed, with the reader's
// scratch. Unknown events, blocks and deltas are `other`, and skipped.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay::upstream {

struct AnthropicEvent {
  enum class Kind {
    not_json,  // or neither an object nor an error in an array
    message_start,
    block_start,
    block_delta,
    block_stop,
    message_delta,
    message_stop,
    message,  // a whole one, from a server that does not stream
    error,
    other,
  };
  Kind kind = Kind::not_json;
  int64_t index = 0;       // block_*
  std::string_view what;   // block_start: the block; *_delta: the delta; message_start: the message; message: itself
  std::string_view usage;  // message_delta
};
// `name` is the event's name, which counts where the payload has no type. "error" says nothing where it is null, false
// or empty.
AnthropicEvent read_anthropic_event(std::string_view payload, std::string_view name, std::string& scratch);

struct AnthropicBlock {
  enum class Kind { text, thinking, redacted_thinking, tool_use, other };
  Kind kind = Kind::other;
  std::string type;                               // other: its own word
  std::string id, name;                           // tool_use
  std::string_view text, signature, data, input;  // raw; text: also that of thinking
};
AnthropicBlock read_anthropic_block(std::string_view raw, std::string& scratch);

struct AnthropicDelta {
  enum class Kind { text, thinking, signature, input_json, other };
  Kind kind = Kind::other;
  std::string_view piece;  // raw
};
AnthropicDelta read_anthropic_delta(std::string_view raw, std::string& scratch);

// The message of message_start, the delta of message_delta, or a whole message.
struct AnthropicMessage {
  std::optional<std::string> stop_reason;  // never "" or "null", which some servers send before there is one
  std::string id;                          // "": not said
  std::string stop_sequence;               // "": none
  std::string_view content, usage;         // raw
};
AnthropicMessage read_anthropic_message(std::string_view raw, std::string& scratch);

// The counters that were sent; input excludes what was written to a cache or read from it.
struct AnthropicUsage {
  std::optional<uint64_t> input, cache_creation, cache_read, output, thinking;
};
AnthropicUsage read_anthropic_usage(std::string_view raw, std::string& scratch);

}  // namespace tokenrelay::upstream
