#include "service/upstream/responses/request.h"

namespace tokenrelay::upstream {
namespace {

using json::Value;
using Done = tl::expected<void, UnsupportedField>;
using Kind = PromptPart::Kind;
using Role = PromptMessage::Role;

const char* name_of(Role role) {
  return role == Role::system ? "system" : role == Role::assistant ? "assistant" : "user";
}

Value image_of(const PromptPart& part) {
  Value image = {{"type", "input_image"}};
  image["image_url"] = part.url.empty() ? "data:" + part.media_type + ";base64," + part.data : part.url;
  const auto detail = Value::json_pointer("/image_url/detail");
  image["detail"] = part.raw.contains(detail) ? part.raw[detail] : Value("auto");
  return image;
}

tl::expected<Value, UnsupportedField> file_of(const PromptPart& part, const std::string& place) {
  Value file = {{"type", "input_file"}};
  if (!part.file_id.empty()) {
    file["file_id"] = part.file_id;
  } else if (!part.url.empty()) {
    file["file_url"] = part.url;
  } else if (!part.data.empty()) {
    file["file_data"] = "data:" + part.media_type + ";base64," + part.data;
  } else {
    return refuse(place + ".file", "must have file_data, file_url or file_id");
  }
  if (!part.filename.empty()) file["filename"] = part.filename;
  return file;
}

// A part of a message's content.
tl::expected<Value, UnsupportedField> content_of(const PromptPart& part, Role role, const std::string& place) {
  const bool ours = role == Role::assistant;
  if (part.kind == Kind::text) return Value{{"type", ours ? "output_text" : "input_text"}, {"text", part.text}};
  if (part.kind == Kind::refusal && ours) return Value{{"type", "refusal"}, {"refusal", part.text}};
  if (role == Role::user || role == Role::tool) {
    if (part.kind == Kind::image) return image_of(part);
    if (part.kind == Kind::file) return file_of(part, place);
    if (part.kind == Kind::audio && role == Role::user)
      return Value{{"type", "input_audio"}, {"input_audio", part.raw.value("input_audio", Value::object())}};
  }
  return refuse(place + ".type", "content parts of this type are not supported in this role by this upstream");
}

// A single part of text becomes a plain string, which every server accepts.
Value simplest(Value content) {
  const bool is_text = content.size() == 1 && content[0].contains("text");
  return is_text ? content[0]["text"] : content;
}

void close_message(Value& content, Role role, Value& items) {
  if (content.empty()) return;
  items.push_back({{"type", "message"}, {"role", name_of(role)}, {"content", simplest(std::move(content))}});
  content = Value::array();
}

// Sends an item back unchanged. Without encrypted content and an id it is only text that was shown to a reader: it is
// left out.
void add_reasoning(const PromptPart& part, Value& items) {
  if (!part.raw.contains("encrypted_content") && !part.raw.contains("id")) return;
  Value item = part.raw;
  item["type"] = "reasoning";
  if (!item.contains("summary")) item["summary"] = Value::array();
  items.push_back(std::move(item));
}

Done add_result(const PromptMessage& message, Value& items) {
  if (message.tool_call_id.empty()) return refuse(path_of(message) + ".tool_call_id", "is missing");
  Value output = Value::array();
  if (message.is_error) output.push_back(Value{{"type", "input_text"}, {"text", "Error: "}});
  for (size_t i = 0; i < message.parts.size(); ++i) {
    auto part = content_of(message.parts[i], Role::tool, path_of(message, i));
    if (!part) return tl::make_unexpected(part.error());
    output.push_back(std::move(*part));
  }
  items.push_back({{"type", "function_call_output"},
                   {"call_id", message.tool_call_id},
                   {"output", output.empty() ? Value("") : simplest(std::move(output))}});
  return {};
}

Done add_turn(const PromptMessage& message, Value& items) {
  if (message.role == Role::tool) return add_result(message, items);
  Value content = Value::array();
  for (size_t i = 0; i < message.parts.size(); ++i) {
    const PromptPart& part = message.parts[i];
    if (part.kind == Kind::thinking || part.kind == Kind::redacted_thinking) continue;  // another provider's
    if (part.kind == Kind::reasoning) {
      close_message(content, message.role, items);
      add_reasoning(part, items);
      continue;
    }
    auto one = content_of(part, message.role, path_of(message, i));
    if (!one) return tl::make_unexpected(one.error());
    content.push_back(std::move(*one));
  }
  close_message(content, message.role, items);
  for (const PromptToolCall& call : message.tool_calls) {
    items.push_back(
        {{"type", "function_call"}, {"call_id", call.id}, {"name", call.name}, {"arguments", call.arguments}});
  }
  return {};
}

bool is_plain(const PromptMessage& message) {
  for (const auto& part : message.parts) {
    if (part.kind != Kind::text) return false;
  }
  return message.role == Role::system && message.name.empty();
}

}  // namespace

tl::expected<ResponsesInput, UnsupportedField> responses_input(const Prompt& prompt) {
  ResponsesInput input{{}, Value::array()};
  size_t next = 0;
  while (next + 1 < prompt.messages.size() && is_plain(prompt.messages[next])) {
    const std::string text = text_of(prompt.messages[next++].parts);
    if (!input.instructions.empty() && !text.empty()) input.instructions += "\n\n";
    input.instructions += text;
  }
  for (; next < prompt.messages.size(); ++next) {
    if (const Done added = add_turn(prompt.messages[next], input.items); !added) {
      return tl::make_unexpected(added.error());
    }
  }
  return input;
}

}  // namespace tokenrelay::upstream
