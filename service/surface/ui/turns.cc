#include "service/surface/ui/turns.h"

#include "service/surface/content.h"
#include "service/surface/opaque.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Checked = tl::expected<void, Error>;

constexpr std::string_view unanswered = "The tool gave no result.", denied = "Tool execution denied.";

// Parts that are only shown and not sent to a model: a page's own parts, sources.
bool only_shown(std::string_view type) {
  return type.starts_with("data-") || type.starts_with("source-") || type == "reasoning-file" || type == "custom";
}

// What this kind of provider wants back (upstream.h, on_opaque), from the metadata that the encoder gave the part; null
// if there is nothing.
Value given_back(const Value& part, const char* name, std::string_view upstream_kind) {
  const auto metadata = part.find(name);
  if (metadata == part.end() || !metadata->is_object()) return nullptr;
  const auto opaque = metadata->find("tokenrelay");
  if (opaque == metadata->end() || !opaque->is_object()) return nullptr;
  return json::word(*opaque, "provider") == upstream_kind ? *opaque : Value();
}

// A reasoning part goes back only if it is signed, and only to the provider that signed it. Null: it is left out.
Value reasoning_part(const Value& part, std::string_view upstream_kind) {
  const Value opaque = given_back(part, "providerMetadata", upstream_kind);
  return opaque.is_null() ? Value() : opaque_part(opaque, upstream_kind, json::word(part, "text"));
}

// Adds Gemini's signature to a call or a text.
void sign(Value& what, const Value& opaque) {
  if (json::word(opaque, "type") != "thought_signature") return;
  what["extra_content"] = thought_signature(json::word(opaque, "data"));
}

tl::expected<Value, Error> read_file(const Value& part, const std::string& place) {
  const std::string url = json::word(part, "url");
  const bool inline_data = url.starts_with("data:");
  if (!inline_data && !url.starts_with("https://") && !url.starts_with("http://")) {
    return refuse(place + ".url", "must be a data: or an http(s): URL");
  }
  if (json::word(part, "mediaType").starts_with("image/")) {
    return Value{{"type", "image_url"}, {"image_url", Value{{"url", url}}}};
  }
  Value file = {{inline_data ? "file_data" : "file_url", url}};
  if (const auto name = json::word(part, "filename"); !name.empty()) file["filename"] = name;
  return Value{{"type", "file"}, {"file", std::move(file)}};
}

std::string tool_name(const Value& part, std::string_view type) {
  constexpr std::string_view prefix = "tool-";
  return type.starts_with(prefix) ? std::string(type.substr(prefix.size())) : json::word(part, "toolName");
}

std::string arguments_of(const Value& part) {
  if (const auto input = part.find("input"); input != part.end() && !input->is_null()) return json::dump(*input);
  const std::string raw = json::word(part, "rawInput");  // what the model wrote, if it was not valid JSON
  return json::parse(raw) ? raw : "{}";
}

std::string result_of(const Value& part) {
  const std::string state = json::word(part, "state");
  const auto approval = part.find("approval");
  const bool refused = approval != part.end() && approval->is_object() && approval->contains("approved") &&
                       (*approval)["approved"] == false;
  if (state == "output-available") {
    const auto output = part.find("output");
    if (output == part.end()) return "null";
    return output->is_string() ? output->get<std::string>() : json::dump(*output);
  }
  if (state == "output-error") return json::word(part, "errorText");
  if (state == "output-denied" || refused) {
    const std::string reason = approval != part.end() && approval->is_object() ? json::word(*approval, "reason") : "";
    return reason.empty() ? std::string(denied) : reason;
  }
  return std::string(unanswered);
}

// One step of an assistant's message: its content, its tool calls, and then the tools' results.
struct Step {
  Value parts = Value::array(), calls = Value::array(), results = Value::array();

  void end(Value& out) {
    if (!parts.empty() || !calls.empty()) {
      Value message = {{"role", "assistant"}};
      message["content"] = parts.empty() ? Value() : content_of(std::move(parts));
      if (!calls.empty()) message["tool_calls"] = std::move(calls);
      out.push_back(std::move(message));
    }
    for (auto& result : results) out.push_back(std::move(result));
    *this = {};
  }

  Checked add_tool(const Value& part, std::string_view type, const std::string& place, std::string_view upstream_kind) {
    const std::string id = json::word(part, "toolCallId"), name = tool_name(part, type);
    if (id.empty()) return refuse(place + ".toolCallId", "is missing");
    if (name.empty()) return refuse(place + ".toolName", "is missing");
    if (json::word(part, "state") == "input-streaming") return {};
    Value call = {
        {"id", id}, {"type", "function"}, {"function", Value{{"name", name}, {"arguments", arguments_of(part)}}}};
    sign(call, given_back(part, "callProviderMetadata", upstream_kind));
    calls.push_back(std::move(call));
    results.push_back(Value{{"role", "tool"}, {"tool_call_id", id}, {"content", result_of(part)}});
    if (json::word(part, "state") == "output-error") results.back()["is_error"] = true;
    return {};
  }
};

Checked read_text(const Value& part, const std::string& place, std::string_view upstream_kind, Step& step) {
  if (!part.contains("text") || !part["text"].is_string()) return refuse(place + ".text", "must be a string");
  const std::string text = part["text"].get<std::string>();
  if (text.empty()) return {};
  Value out = {{"type", "text"}, {"text", text}};
  sign(out, given_back(part, "providerMetadata", upstream_kind));
  step.parts.push_back(std::move(out));
  return {};
}

struct MessageScope {
  std::string_view upstream_kind;
  bool assistant;
  Value& out;
};

Checked read_part(const Value& part, const std::string& place, const MessageScope& scope, Step& step) {
  if (!part.is_object()) return refuse(place, "must be an object");
  const std::string type = json::word(part, "type");
  if (type == "text") return read_text(part, place, scope.upstream_kind, step);
  if (type == "file") {
    auto file = read_file(part, place);
    if (!file) return tl::make_unexpected(file.error());
    step.parts.push_back(std::move(*file));
    return {};
  }
  if (type == "reasoning") {
    Value signed_part = scope.assistant ? reasoning_part(part, scope.upstream_kind) : Value();
    if (!signed_part.is_null()) step.parts.push_back(std::move(signed_part));
    return {};
  }
  if (only_shown(type)) return {};
  if (scope.assistant && type == "step-start") {
    step.end(scope.out);
    return {};
  }
  if (scope.assistant && (type.starts_with("tool-") || type == "dynamic-tool")) {
    return step.add_tool(part, type, place, scope.upstream_kind);
  }
  return refuse(place + ".type", "parts of this type are not supported by the relay");
}

Checked read_message(const Value& message, const std::string& place, std::string_view upstream_kind, Value& out) {
  if (!message.is_object()) return refuse(place, "must be an object");
  const std::string role = json::word(message, "role");
  if (role != "user" && role != "assistant" && role != "system") {
    return refuse(place + ".role", "must be user, assistant or system");
  }
  const auto parts = message.find("parts");
  if (parts == message.end() || !parts->is_array()) return refuse(place + ".parts", "must be an array");
  Step step;
  for (size_t i = 0; i < parts->size(); ++i) {
    const std::string at = place + ".parts[" + std::to_string(i) + "]";
    if (auto read = read_part((*parts)[i], at, {upstream_kind, role == "assistant", out}, step); !read) return read;
  }
  if (role == "assistant") {
    step.end(out);
  } else if (!step.parts.empty()) {
    out.push_back(Value{{"role", role}, {"content", content_of(std::move(step.parts))}});
  }
  return {};
}

}  // namespace

tl::expected<Value, Error> read_ui_messages(const Value& messages, std::string_view upstream_kind) {
  Value out = Value::array();
  for (size_t i = 0; i < messages.size(); ++i) {
    const auto read = read_message(messages[i], "messages[" + std::to_string(i) + "]", upstream_kind, out);
    if (!read) return tl::make_unexpected(read.error());
  }
  if (out.empty()) return refuse("messages", "must contain text, a file or a tool call");
  return out;
}

}  // namespace tokenrelay::surface
