#include "service/surface/anthropic/own.h"

#include "service/json/blank.h"
#include "service/surface/anthropic/opaque.h"
#include "service/surface/content.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

// The relay signs no thinking: an empty signature stands where another provider thought.
bool is_foreign(const Value& block) {
  const std::string type = json::word(block, "type");
  if (type == "thinking") return json::word(block, "signature").empty();
  return type == "redacted_thinking" && !foreign_opaque(json::word(block, "data")).is_null();
}

// An answer's own text has citations, too: those say what was cited.
bool asks_for_citations(const Value& block) {
  const std::string type = json::word(block, "type");
  return (type == "document" || type == "search_result") && block.contains("citations") &&
         !json::is_blank(block["citations"]);
}

// Blocks, and those inside a tool's result.
void check_blocks(const Value& content, const std::string& place, OwnCheck& out) {
  if (!content.is_array()) return;
  for (size_t i = 0; i < content.size(); ++i) {
    const Value& block = content[i];
    if (!block.is_object()) continue;
    const std::string at = numbered(place, i);
    out.has_foreign_turns |= is_foreign(block);
    if (asks_for_citations(block) && !out.refused) {
      out.refused = invalid(at + ".citations", "is not supported by the relay");
    }
    if (block.contains("content")) check_blocks(block["content"], at + ".content", out);
  }
}

}  // namespace

OwnCheck check_own_messages(const Value& body) {
  OwnCheck out;
  const auto messages = body.find("messages");
  if (messages == body.end() || !messages->is_array()) return out;
  for (size_t i = 0; i < messages->size(); ++i) {
    const Value& message = (*messages)[i];
    if (!message.is_object() || !message.contains("content")) continue;
    check_blocks(message["content"], numbered("messages", i) + ".content", out);
  }
  return out;
}

}  // namespace tokenrelay::surface
