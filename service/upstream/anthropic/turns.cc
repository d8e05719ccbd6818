#include "service/upstream/anthropic/turns.h"

#include <algorithm>
#include <array>
#include <utility>

#include "service/text/base64.h"

namespace tokenrelay::upstream {
namespace {

using json::Value;
using Kind = PromptPart::Kind;
using Role = PromptMessage::Role;
using Block = tl::expected<Value, UnsupportedField>;

Value image_block(const PromptPart& part) {
  if (!part.url.empty()) return {{"type", "image"}, {"source", {{"type", "url"}, {"url", part.url}}}};
  return {{"type", "image"}, {"source", {{"type", "base64"}, {"media_type", part.media_type}, {"data", part.data}}}};
}

Block document_block(const PromptPart& part, const std::string& place) {
  Value source;
  if (!part.file_id.empty()) {
    source = {{"type", "file"}, {"file_id", part.file_id}};
  } else if (!part.url.empty()) {
    source = {{"type", "url"}, {"url", part.url}};
  } else if (part.media_type.starts_with("text/")) {
    auto text = text::from_base64(part.data);
    if (!text) return refuse(place + ".file.file_data", "must be base64");
    source = {{"type", "text"}, {"media_type", "text/plain"}, {"data", std::move(*text)}};
  } else if (part.media_type == "application/pdf") {
    source = {{"type", "base64"}, {"media_type", part.media_type}, {"data", part.data}};
  } else {
    return refuse(place, "only PDF and text files are supported by this upstream");
  }
  Value block = {{"type", "document"}, {"source", std::move(source)}};
  if (!part.filename.empty()) block["title"] = part.filename;
  return block;
}

// Null: the part is left out.
Block plain_block(const PromptPart& part, const std::string& place) {
  switch (part.kind) {
    case Kind::text:
    case Kind::refusal:
      return part.text.empty() ? Value() : Value{{"type", "text"}, {"text", part.text}};
    case Kind::image:
      return image_block(part);
    case Kind::file:
      return document_block(part, place);
    case Kind::thinking:
      if (part.signature.empty()) return Value();
      return Value{{"type", "thinking"}, {"thinking", part.text}, {"signature", part.signature}};
    case Kind::redacted_thinking:
      return Value{{"type", "redacted_thinking"}, {"data", part.data}};
    case Kind::reasoning:
      return Value();
    case Kind::audio:
      break;
  }
  return refuse(place, "audio is not supported by this upstream");
}

bool may_say(Role role, Kind kind) {
  switch (kind) {
    case Kind::text:
    case Kind::refusal:
      return true;
    case Kind::thinking:
    case Kind::redacted_thinking:
    case Kind::reasoning:
      return role == Role::assistant;
    default:
      return role == Role::user || role == Role::tool;
  }
}

tl::expected<Value, UnsupportedField> blocks_of(const PromptMessage& message) {
  Value blocks = Value::array();
  for (size_t i = 0; i < message.parts.size(); ++i) {
    const PromptPart& part = message.parts[i];
    const std::string place = path_of(message, i);
    if (!may_say(message.role, part.kind))
      return refuse(place, "content parts of this type are not supported in this role by this upstream");
    Block block = plain_block(part, place);
    if (!block) return block;
    if (block->is_null()) continue;
    if (part.raw.is_object() && part.raw.contains("cache_control"))
      (*block)["cache_control"] = part.raw["cache_control"];
    blocks.push_back(std::move(*block));
  }
  return blocks;
}

// The API accepts only letters, digits, _ and - in an id.
std::string safe_id(std::string id) {
  std::replace_if(
      id.begin(), id.end(), [](unsigned char c) { return !(c < 0x80 && std::isalnum(c)) && c != '_' && c != '-'; },
      '_');
  return id;
}

Block tool_use(const PromptToolCall& call, const std::string& place) {
  auto input = json::parse(call.arguments, json::deepest);
  if (!input || !input->is_object()) {
    return refuse(place + ".function.arguments", "must be a JSON object for this upstream");
  }
  return Value{{"type", "tool_use"}, {"id", safe_id(call.id)}, {"name", call.name}, {"input", std::move(*input)}};
}

// A cache_control on the last part of a result moves to the result.
Value tool_result(const PromptMessage& message, Value content) {
  Value result = {{"type", "tool_result"}, {"tool_use_id", safe_id(message.tool_call_id)}};
  Value mark;
  if (!content.empty() && content.back().contains("cache_control")) {
    mark = std::move(content.back()["cache_control"]);
    content.back().erase("cache_control");
  }
  if (!content.empty()) result["content"] = std::move(content);
  if (message.is_error) result["is_error"] = true;
  if (!mark.is_null()) result["cache_control"] = std::move(mark);
  return result;
}

void add_turn(Value& messages, const char* role, Value blocks) {
  if (blocks.empty()) return;
  if (messages.empty() || messages.back()["role"] != role) {
    messages.push_back({{"role", role}, {"content", std::move(blocks)}});
    return;
  }
  for (Value& block : blocks) messages.back()["content"].push_back(std::move(block));
}

}  // namespace

tl::expected<AnthropicTurns, UnsupportedField> anthropic_turns(const Prompt& prompt) {
  AnthropicTurns turns;
  for (const PromptMessage& message : prompt.messages) {
    auto blocks = blocks_of(message);
    if (!blocks) return tl::make_unexpected(blocks.error());
    for (size_t i = 0; i < message.tool_calls.size(); ++i) {
      Block call = tool_use(message.tool_calls[i], path_of(message) + ".tool_calls[" + std::to_string(i) + "]");
      if (!call) return tl::make_unexpected(call.error());
      blocks->push_back(std::move(*call));
    }
    if (message.role == Role::system) {
      for (Value& block : *blocks) turns.system.push_back(std::move(block));
    } else if (message.role == Role::tool) {
      add_turn(turns.messages, "user", Value::array({tool_result(message, std::move(*blocks))}));
    } else {
      add_turn(turns.messages, message.role == Role::user ? "user" : "assistant", std::move(*blocks));
    }
  }
  return turns;
}

}  // namespace tokenrelay::upstream
