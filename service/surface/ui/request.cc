#include "service/surface/ui/request.h"

#include <algorithm>

#include "service/api/create_request.h"
#include "service/surface/ui/chats.h"
#include "service/surface/ui/turns.h"
#include "service/upstream/prompt.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Checked = tl::expected<void, Error>;

// Reads a member that may be absent or null into `out`.
Checked read_text(const Value& body, const char* name, size_t max_bytes, std::string& out) {
  const auto it = body.find(name);
  if (it == body.end() || it->is_null()) return {};
  if (!it->is_string()) return refuse(name, "must be a string");
  if (it->get_ref<const std::string&>().size() > max_bytes) {
    return refuse(name, "must have at most " + std::to_string(max_bytes) + " bytes");
  }
  out = it->get<std::string>();
  return {};
}

Checked read_parameters(const Value& body, UiRequest& out) {
  const auto parameters = body.find("parameters");
  if (parameters == body.end() || parameters->is_null()) return {};
  if (!parameters->is_object()) return refuse("parameters", "must be an object");
  for (const auto& [name, value] : parameters->items()) {
    if (upstream::is_own_parameter(name)) return refuse("parameters." + name, "cannot be set: the relay sets it");
  }
  out.parameters = json::dump(*parameters);
  return {};
}

// After a tool's output, useChat continues the assistant message that called the tool: the one that messageId names,
// else the last one.
std::string continued_message(const Value& body) {
  if (json::word(body, "trigger") == "regenerate-message") return {};
  const auto& messages = body["messages"];
  const std::string named = json::word(body, "messageId");
  const Value* message = &messages.back();
  for (const auto& one : messages) {
    if (!named.empty() && one.is_object() && json::word(one, "id") == named) message = &one;
  }
  const std::string id = json::word(*message, "id");
  return json::word(*message, "role") == "assistant" && id.size() <= max_chat_bytes ? id : std::string();
}

Checked read_messages(const Value& body, const std::string& system, const ProviderOf& provider_of, UiRequest& out) {
  const auto messages = body.find("messages");
  if (messages == body.end()) return refuse("messages", "is missing");
  if (!messages->is_array() || messages->empty()) return refuse("messages", "must be a non-empty array");
  auto neutral = read_ui_messages(*messages, provider_of(out.model));
  if (!neutral) return tl::make_unexpected(neutral.error());
  if (!system.empty()) neutral->insert(neutral->begin(), Value{{"role", "system"}, {"content", system}});
  const auto bytes = api::check_messages(*neutral);
  if (!bytes) return refuse("messages", bytes.error());
  out.prompt_bytes = *bytes;
  out.messages = json::dump(*neutral);
  out.marks = marks_of({out.chat, continued_message(body)});
  return {};
}

// The chat's id becomes part of a path: an id that no client could request is refused.
Checked check_chat(const std::string& chat) {
  const bool dots = chat == "." || chat == "..";
  const bool control = std::any_of(chat.begin(), chat.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (dots || control)
    return refuse("id", "cannot be part of a URL path: it must not be . or .. or contain control characters");
  return {};
}

}  // namespace

std::string ui_field(const std::string& neutral_field) {
  return neutral_field;
}

tl::expected<UiRequest, Error> parse_ui_request(std::string_view text, json::Limits limits,
                                                const ProviderOf& provider_of) {
  const auto body = json::parse(text, limits);
  if (!body) return refuse("", "the body is not valid JSON: " + body.error().message);
  if (!body->is_object()) return refuse("", "the body must be a JSON object");
  UiRequest out;
  std::string system;
  Checked read = read_text(*body, "id", max_chat_bytes, out.chat);
  if (read) read = check_chat(out.chat);
  if (read) read = read_text(*body, "model", api::max_model_bytes, out.model);
  if (read) read = read_text(*body, "system", text.size(), system);
  if (read) read = read_parameters(*body, out);
  if (read) read = read_messages(*body, system, provider_of, out);
  if (!read) return tl::make_unexpected(read.error());
  out.stream = true;
  return out;
}

}  // namespace tokenrelay::surface
