#include "service/upstream/chat/turns.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "service/json/parse.h"

namespace tokenrelay::upstream {
namespace {

using json::Value;

constexpr std::array<std::string_view, 3> foreign = {"thinking", "redacted_thinking", "reasoning"};

bool is_foreign(const Value& part) {
  const auto type = part.is_object() ? part.find("type") : part.end();
  return type != part.end() && type->is_string() &&
         std::find(foreign.begin(), foreign.end(), type->get_ref<const std::string&>()) != foreign.end();
}

void leave_reasoning_out(Value& message) {
  Value& content = message["content"];
  const size_t before = content.size();
  Value kept = Value::array();
  for (Value& part : content) {
    if (!is_foreign(part)) kept.push_back(std::move(part));
  }
  if (kept.size() == before) {
    content = std::move(kept);
  } else if (kept.empty()) {
    content = message.contains("tool_calls") ? Value() : Value("");
  } else if (kept.size() == 1 && kept[0].size() == 2 && kept[0].contains("text")) {
    content = kept[0]["text"];
  } else {
    content = std::move(kept);
  }
}

void say_error(Value& message) {
  const bool failed = message["is_error"] == true;
  message.erase("is_error");
  if (!failed) return;
  Value& content = message["content"];
  if (content.is_array()) {
    content.insert(content.begin(), Value{{"type", "text"}, {"text", "Error: "}});
  } else {
    content = "Error: " + (content.is_string() ? content.get<std::string>() : std::string());
  }
}

}  // namespace

std::string openai_messages(const std::string& messages) {
  const auto has = [&messages](std::string_view word) { return messages.find(word) != messages.npos; };
  if (!has("\"is_error\"") && !has("thinking\"") && !has("\"reasoning\"")) return messages;
  auto parsed = json::parse(messages, json::deepest);
  if (!parsed || !parsed->is_array()) return messages;
  for (Value& message : *parsed) {
    if (!message.is_object()) continue;
    if (message.contains("content") && message["content"].is_array()) leave_reasoning_out(message);
    if (message.contains("is_error")) say_error(message);
  }
  return json::dump(*parsed);
}

}  // namespace tokenrelay::upstream
