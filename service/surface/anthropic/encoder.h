// A stream as Messages: events, and one whole object.
#pragma once

#include <memory>
#include <string>

#include "service/surface/answer.h"

namespace tokenrelay::surface {

struct MessageFacts {
  std::string id, model;  // msg_…
};

// message_start, content blocks, message_delta, message_stop; a failed stream has an error instead of the last two.
std::unique_ptr<Encoder> make_anthropic_encoder(const MessageFacts& facts);

// The message object.
json::Value anthropic_message(const MessageFacts& facts, const Transcript& transcript);

// Both use these. They have every member that the newest SDKs' types require; null where the log does not say,
// but for `citations`: the AI SDK takes no null there (CLIENTS.md, Messages: blocks).
json::Value anthropic_message(const MessageFacts& facts, json::Value content, json::Value stop_reason,
                              const Done& done);
std::string anthropic_stop_reason(const Done& done);
json::Value anthropic_stop_sequence(const Done& done);  // null unless that is the reason
json::Value anthropic_usage(const Done& done);
json::Value anthropic_text_block(std::string text);
json::Value anthropic_tool_block(std::string_view id, std::string_view name, json::Value input);

}  // namespace tokenrelay::surface
