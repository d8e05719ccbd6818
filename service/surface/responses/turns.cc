#include "service/surface/responses/turns.h"

#include "service/surface/content.h"
#include "service/surface/opaque.h"
#include "service/surface/responses/parts.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Read = tl::expected<void, Error>;

// Collects the items of one turn of the model.
class Turn {
 public:
  explicit Turn(Value& messages) : messages_(messages) {}

  void add_part(Value part) { parts_.push_back(std::move(part)); }
  void add_call(Value call) { calls_.push_back(std::move(call)); }
  // Gemini's signatures: of the turn's call with this index, or of the text before.
  void sign_call(size_t index, const std::string& signature) { signatures_.emplace_back(index, signature); }
  void sign_text(const std::string& signature) {
    if (!parts_.empty() && parts_.back()["type"] == "text")
      parts_.back()["extra_content"] = thought_signature(signature);
  }

  void end() {
    if (!parts_.empty() || !calls_.empty()) {
      Value message = {{"role", "assistant"}, {"content", content_of(std::move(parts_))}};
      for (const auto& [index, signature] : signatures_) {
        if (index >= calls_.size()) continue;
        calls_[index]["extra_content"] = thought_signature(signature);
      }
      if (!calls_.empty()) message["tool_calls"] = std::move(calls_);
      messages_.push_back(std::move(message));
    }
    parts_ = Value::array();
    calls_ = Value::array();
    signatures_.clear();
  }

 private:
  Value& messages_;
  Value parts_ = Value::array(), calls_ = Value::array();
  std::vector<std::pair<size_t, std::string>> signatures_;
};

Read read_message(const Value& item, const std::string& place, Value& messages, Turn& turn) {
  const std::string role = json::word(item, "role");
  if (role != "user" && role != "assistant" && role != "system" && role != "developer") {
    return refuse(place + ".role", "must be user, assistant, system or developer");
  }
  auto parts = read_parts(item, "content", place);
  if (!parts) return tl::make_unexpected(parts.error());
  if (role == "assistant") {
    for (auto& part : *parts) turn.add_part(std::move(part));
    return {};
  }
  turn.end();
  messages.push_back(Value{{"role", role}, {"content", content_of(std::move(*parts))}});
  return {};
}

Read read_call(const Value& item, const std::string& place, Turn& turn) {
  for (const char* name : {"call_id", "name", "arguments"}) {
    if (!item.contains(name) || !item[name].is_string()) return refuse(place + "." + name, "must be a string");
  }
  Value function = {{"name", item["name"]}, {"arguments", item["arguments"]}};
  turn.add_call(Value{{"id", item["call_id"]}, {"type", "function"}, {"function", std::move(function)}});
  return {};
}

Read read_call_output(const Value& item, const std::string& place, Value& messages, Turn& turn) {
  const std::string call_id = json::word(item, "call_id");
  if (call_id.empty()) return refuse(place + ".call_id", "must be a string");
  auto parts = read_parts(item, "output", place);
  if (!parts) return tl::make_unexpected(parts.error());
  turn.end();
  messages.push_back(Value{{"role", "tool"}, {"tool_call_id", call_id}, {"content", content_of(std::move(*parts))}});
  return {};
}

std::string summary_of(const Value& item) {
  std::string text;
  const auto summary = item.find("summary");
  if (summary == item.end() || !summary->is_array()) return text;
  for (const auto& part : *summary) text += json::word(part, "text");
  return text;
}

// This relay's encrypted_content is an opaque object of the log (output.h); it goes only to the kind it came from.
void read_reasoning(const Value& item, std::string_view upstream_kind, Turn& turn) {
  const std::string content = json::word(item, "encrypted_content");
  const auto opaque = json::parse(content);
  if (!opaque || !opaque->is_object()) {
    if (upstream_kind == "openai-responses" && !content.empty()) turn.add_part(item);
    return;
  }
  if (json::word(*opaque, "provider") != upstream_kind) return;
  const std::string type = json::word(*opaque, "type"), data = json::word(*opaque, "data");
  if (Value part = opaque_part(*opaque, upstream_kind, summary_of(item)); !part.is_null()) {
    if (type == "encrypted_reasoning" && item.contains("summary")) part["summary"] = item["summary"];
    turn.add_part(std::move(part));
  } else if (type == "thought_signature" && !opaque->contains("index")) {
    turn.sign_text(data);
  } else if (type == "thought_signature" && (*opaque)["index"].is_number_unsigned()) {
    turn.sign_call((*opaque)["index"].get<size_t>(), data);
  }
}

Read read_item(const Value& item, const std::string& place, std::string_view upstream_kind, Value& messages,
               Turn& turn) {
  if (!item.is_object()) return refuse(place, "must be an object");
  const std::string type = json::word(item, "type");
  if (type == "message" || (type.empty() && item.contains("role"))) return read_message(item, place, messages, turn);
  if (type == "function_call") return read_call(item, place, turn);
  if (type == "function_call_output") return read_call_output(item, place, messages, turn);
  if (type == "item_reference" || (item.size() == 1 && item.contains("id"))) {
    return refuse(place + ".id", "item " + json::word(item, "id").substr(0, 128) + " does not exist");
  }
  if (type == "reasoning") {
    read_reasoning(item, upstream_kind, turn);
    return {};
  }
  return refuse(place + ".type", "items of this type are not supported by the relay");
}

}  // namespace

Read read_responses_input(const Value& input, std::string_view upstream_kind, Value& messages) {
  if (input.is_string()) {
    messages.push_back(Value{{"role", "user"}, {"content", input}});
    return {};
  }
  if (!input.is_array()) return refuse("input", "must be a string or an array of items");
  Turn turn(messages);
  for (size_t i = 0; i < input.size(); ++i) {
    const auto read = read_item(input[i], "input[" + std::to_string(i) + "]", upstream_kind, messages, turn);
    if (!read) return read;
  }
  turn.end();
  return {};
}

}  // namespace tokenrelay::surface
