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

// Both use these.
std::string anthropic_stop_reason(const Done& done);
json::Value anthropic_usage(const Done& done);

}  // namespace tokenrelay::surface
