#include "service/surface/anthropic/own.h"

#include <algorithm>

#include "service/surface/anthropic/opaque.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

// The relay signs no thinking: an empty signature stands where another provider thought.
bool is_foreign(const Value& block) {
  const std::string type = json::word(block, "type");
  if (type == "thinking") return json::word(block, "signature").empty();
  return type == "redacted_thinking" && !foreign_opaque(json::word(block, "data")).is_null();
}

// Blocks, and those inside a tool's result.
bool has_foreign_blocks(const Value& content) {
  return content.is_array() && std::any_of(content.begin(), content.end(), [](const Value& block) {
           return block.is_object() && (is_foreign(block) || has_foreign_blocks(block.value("content", Value())));
         });
}

}  // namespace

bool has_foreign_messages(const Value& body) {
  const auto messages = body.find("messages");
  return messages != body.end() && messages->is_array() &&
         std::any_of(messages->begin(), messages->end(), [](const Value& message) {
           return message.is_object() && has_foreign_blocks(message.value("content", Value()));
         });
}

}  // namespace tokenrelay::surface
