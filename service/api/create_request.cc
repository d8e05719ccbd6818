#include "service/api/create_request.h"

#include <algorithm>
#include <array>

#include "service/upstream/prompt.h"

namespace tokenrelay::api {
namespace {

using json::Value;
using Refusal = tl::unexpected<std::string>;

constexpr std::array<std::string_view, 6> known_fields = {"model",      "prompt",   "messages",
                                                          "parameters", "metadata", "on_disconnect"};

template <typename List>
bool contains(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

Refusal refuse(std::string detail) {
  return Refusal(std::move(detail));
}

// Field names come from the client: shown shortened and printable only.
std::string shown(std::string_view name) {
  std::string out;
  for (const char c : name.substr(0, 64)) out += (c >= 0x20 && c < 0x7f && c != '"') ? c : '?';
  return out;
}

tl::expected<uint64_t, std::string> text_bytes(const Value& content, const std::string& where) {
  if (content.is_string()) return content.get_ref<const std::string&>().size();
  if (!content.is_array()) return refuse(where + ".content must be a string or an array of parts");
  uint64_t bytes = 0;
  for (size_t i = 0; i < content.size(); ++i) {
    const auto& part = content[i];
    if (!part.is_object()) return refuse(where + ".content[" + std::to_string(i) + "] must be an object");
    if (const auto text = part.find("text"); text != part.end() && text->is_string()) {
      bytes += text->get_ref<const std::string&>().size();
    }
  }
  return bytes;
}

tl::expected<uint64_t, std::string> check_message(const Value& message, const std::string& where) {
  if (!message.is_object()) return refuse(where + " must be an object");
  const auto role = message.find("role");
  if (role == message.end() || !role->is_string() || role->get_ref<const std::string&>().empty()) {
    return refuse(where + ".role must be a non-empty string");
  }
  const auto content = message.find("content");
  if (content == message.end() || content->is_null()) {
    // An assistant's turn with only tool calls, or a refusal, has no content.
    if (message.contains("tool_calls") || message.contains("function_call")) return 0;
    if (const auto refusal = message.find("refusal"); refusal != message.end() && refusal->is_string())
      return refusal->get_ref<const std::string&>().size();
    return refuse(where + ".content is missing");
  }
  return text_bytes(*content, where);
}

tl::expected<void, std::string> read_messages(const Value& body, StreamRequest& out) {
  const auto prompt = body.find("prompt");
  const auto messages = body.find("messages");
  if ((prompt == body.end()) == (messages == body.end()))
    return refuse("exactly one of \"prompt\" and \"messages\" is required");
  if (prompt != body.end()) {
    if (!prompt->is_string()) return refuse("\"prompt\" must be a string");
    out.prompt_bytes = prompt->get_ref<const std::string&>().size();
    Value one = Value::array();
    one.push_back(Value{{"role", "user"}, {"content", *prompt}});
    out.messages = json::dump(one);
    return {};
  }
  const auto bytes = check_messages(*messages);
  if (!bytes) return refuse(bytes.error());
  out.prompt_bytes = *bytes;
  out.messages = json::dump(*messages);
  return {};
}

tl::expected<void, std::string> read_parameters(const Value& body, StreamRequest& out) {
  const auto parameters = body.find("parameters");
  if (parameters == body.end()) return {};
  if (!parameters->is_object()) return refuse("\"parameters\" must be an object");
  for (const auto& [name, value] : parameters->items()) {
    if (upstream::is_own_parameter(name))
      return refuse("parameters." + name + " is set by the relay and cannot be given");
  }
  out.parameters = json::dump(*parameters);
  return {};
}

tl::expected<void, std::string> read_metadata(const Value& body, StreamRequest& out) {
  const auto metadata = body.find("metadata");
  if (metadata == body.end()) return {};
  if (const auto checked = check_metadata(*metadata); !checked) return refuse("metadata" + checked.error());
  out.metadata = json::dump(*metadata);
  return {};
}

tl::expected<void, std::string> read_on_disconnect(const Value& body, StreamRequest& out) {
  using Action = relay::OnDisconnect::Action;
  const auto policy = body.find("on_disconnect");
  if (policy == body.end() || *policy == "continue") return {};
  if (*policy == "cancel") {
    out.on_disconnect.action = Action::cancel;
    return {};
  }
  const bool timed = policy->is_object() && policy->size() == 1 && policy->contains("cancel_after_ms");
  if (!timed) return refuse("\"on_disconnect\" must be \"continue\", \"cancel\" or {\"cancel_after_ms\": N}");
  const auto& after = (*policy)["cancel_after_ms"];
  if (!after.is_number_integer() || after < 0 || after > max_cancel_after_ms) {
    return refuse("on_disconnect.cancel_after_ms must be an integer from 0 to 86400000");
  }
  out.on_disconnect = {Action::cancel_after, after.get<int64_t>()};
  return {};
}

size_t characters(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}  // namespace

tl::expected<void, std::string> check_metadata(const Value& metadata) {
  if (!metadata.is_object()) return refuse(" must be an object of strings");
  if (metadata.size() > max_metadata_entries) return refuse(" has more than 16 entries");
  for (const auto& [name, value] : metadata.items()) {
    if (characters(name) > max_metadata_name) return refuse(" has a name of more than 64 characters: " + shown(name));
    if (!value.is_string()) return refuse("." + shown(name) + " must be a string");
    if (characters(value.get_ref<const std::string&>()) > max_metadata_value)
      return refuse("." + shown(name) + " has more than 512 characters");
  }
  return {};
}

tl::expected<uint64_t, std::string> check_messages(const Value& messages) {
  if (!messages.is_array() || messages.empty()) return refuse("\"messages\" must be a non-empty array");
  uint64_t all = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    const auto bytes = check_message(messages[i], "messages[" + std::to_string(i) + "]");
    if (!bytes) return refuse(bytes.error());
    all += *bytes;
  }
  return all;
}

tl::expected<StreamRequest, std::string> parse_create_request(std::string_view body, json::Limits limits) {
  const auto parsed = json::parse(body, limits);
  if (!parsed) return refuse("the body is not valid JSON: " + parsed.error().message);
  if (!parsed->is_object()) return refuse("the body must be a JSON object");
  for (const auto& [name, value] : parsed->items()) {
    if (!contains(known_fields, name)) return refuse("unknown field \"" + shown(name) + "\"");
  }
  StreamRequest out;
  if (const auto model = parsed->find("model"); model != parsed->end()) {
    if (!model->is_string()) return refuse("\"model\" must be a string");
    out.model = model->get<std::string>();
    if (out.model.empty() || out.model.size() > max_model_bytes) return refuse("\"model\" must have 1 to 256 bytes");
  }
  for (const auto read : {read_messages, read_parameters, read_metadata, read_on_disconnect}) {
    if (const auto checked = read(*parsed, out); !checked) return refuse(checked.error());
  }
  return out;
}

}  // namespace tokenrelay::api
