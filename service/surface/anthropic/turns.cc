#include "service/surface/anthropic/turns.h"

#include <charconv>
#include <optional>
#include <utility>

#include "service/json/blank.h"
#include "service/surface/anthropic/blocks.h"
#include "service/surface/anthropic/opaque.h"
#include "service/surface/content.h"
#include "service/surface/opaque.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Checked = tl::expected<void, Error>;

// Content as blocks: a string becomes one text block.
tl::expected<Value, Error> blocks_of(const Value& content, const std::string& place) {
  if (content.is_string()) return Value::array({Value{{"type", "text"}, {"text", content}}});
  if (!content.is_array()) return refuse(place, "must be a string or an array of blocks");
  for (size_t i = 0; i < content.size(); ++i) {
    if (!content[i].is_object()) return refuse(numbered(place, i), "must be an object");
  }
  return content;
}

class Reader {
 public:
  explicit Reader(std::string_view kind) : kind_(kind) {}

  Checked system(const Value& system);
  Checked message(const Value& message, const std::string& place);
  AnthropicTurns take() { return std::move(turns_); }

 private:
  Checked plain(const char* role, const Value& blocks, const std::string& place);
  Checked user(const Value& blocks, const std::string& place);
  Checked tool_result(const Value& block, const std::string& place);
  Checked assistant(const Value& blocks, const std::string& place);
  Checked assistant_block(const Value& block, const std::string& place, Value& parts, Value& calls,
                          AnthropicPlace& where);
  void foreign(const Value& opaque, Value& parts, Value& signatures);
  void add(Value message, AnthropicPlace place) {
    turns_.messages.push_back(std::move(message));
    turns_.places.push_back(std::move(place));
  }

  const std::string_view kind_;
  Value signatures_;  // of the calls in the assistant's turn being read; they come in later blocks
  AnthropicTurns turns_;
};

Checked Reader::system(const Value& system) {
  if (json::is_empty(system)) return {};
  const auto blocks = blocks_of(system, "system");
  if (!blocks) return tl::make_unexpected(blocks.error());
  return plain("system", *blocks, system.is_string() ? "" : "system");
}

// `place` is that of the array of blocks; "" if there is no array.
Checked Reader::plain(const char* role, const Value& blocks, const std::string& place) {
  AnthropicPlace where{place.empty() ? role : place, {}, {}};
  Value parts = Value::array();
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string at = numbered(where.own, i);
    if (json::word(blocks[i], "type") != "text") return refuse(at, "must be a text block");
    auto part = neutral_part(blocks[i], at, kind_);
    if (!part) return tl::make_unexpected(part.error());
    parts.push_back(std::move(*part));
    where.parts.push_back(at);
  }
  add(Value{{"role", role}, {"content", content_of(std::move(parts), "")}}, std::move(where));
  return {};
}

Checked Reader::message(const Value& message, const std::string& place) {
  if (!message.is_object()) return refuse(place, "must be an object");
  const std::string role = json::word(message, "role");
  if (!message.contains("content")) return refuse(place + ".content", "is missing");
  const auto blocks = blocks_of(message["content"], place + ".content");
  if (!blocks) return tl::make_unexpected(blocks.error());
  if (role == "user") return user(*blocks, place);
  if (role == "assistant") return assistant(*blocks, place);
  if (role == "system") return plain("system", *blocks, place + ".content");
  return refuse(place + ".role", "must be user or assistant");
}

// Each tool result becomes a message; what is between them becomes user messages.
Checked Reader::user(const Value& blocks, const std::string& place) {
  AnthropicPlace where{place, {}, {}};
  Value parts = Value::array();
  const auto say = [&] {
    add(Value{{"role", "user"}, {"content", content_of(std::exchange(parts, Value::array()), "")}},
        std::exchange(where, {place, {}, {}}));
  };
  for (size_t i = 0; i < blocks.size(); ++i) {
    const std::string at = numbered(place + ".content", i);
    const std::string type = json::word(blocks[i], "type");
    if (type == "tool_result") {
      if (!parts.empty()) say();
      if (const Checked read = tool_result(blocks[i], at); !read) return read;
      continue;
    }
    if (type == "thinking" || type == "redacted_thinking") return refuse(at, "is allowed in an assistant message only");
    auto part = neutral_part(blocks[i], at, kind_);
    if (!part) return tl::make_unexpected(part.error());
    parts.push_back(std::move(*part));
    where.parts.push_back(at);
  }
  if (!parts.empty() || blocks.empty()) say();
  return {};
}

Checked Reader::tool_result(const Value& block, const std::string& place) {
  AnthropicPlace where{place, {}, {}};
  Value parts = Value::array();
  const Value content = block.contains("content") ? block["content"] : Value("");
  const auto blocks = blocks_of(content.is_null() ? Value("") : content, place + ".content");
  if (!blocks) return tl::make_unexpected(blocks.error());
  for (size_t i = 0; i < blocks->size(); ++i) {
    const std::string at = numbered(place + ".content", i);
    auto part = neutral_part((*blocks)[i], at, kind_);
    if (!part) return tl::make_unexpected(part.error());
    parts.push_back(std::move(*part));
    where.parts.push_back(at);
  }
  if (kind_ == "anthropic" && block.contains("cache_control") && !parts.empty()) {
    parts.back()["cache_control"] = block["cache_control"];
  }
  Value message = {{"role", "tool"}, {"tool_call_id", json::word(block, "tool_use_id")}};
  if (block.contains("is_error") && block["is_error"] == true) message["is_error"] = true;
  message["content"] = content_of(std::move(parts), "");
  add(std::move(message), std::move(where));
  return {};
}

// Puts what another provider wants back where that provider's dialect looks for it.
void Reader::foreign(const Value& opaque, Value& parts, Value& signatures) {
  if (Value part = opaque_part(opaque, kind_, ""); !part.is_null()) {
    parts.push_back(std::move(part));
  } else if (json::word(opaque, "type") == "thought_signature" && kind_ == "gemini") {
    const Value extra = thought_signature(json::word(opaque, "data"));
    if (opaque.contains("index")) {
      signatures.push_back(Value{{"index", opaque["index"]}, {"extra", extra}});
    } else {
      if (parts.empty() || parts.back()["type"] != "text") parts.push_back(Value{{"type", "text"}, {"text", ""}});
      parts.back()["extra_content"] = extra;
    }
  }
}

Checked Reader::assistant_block(const Value& block, const std::string& place, Value& parts, Value& calls,
                                AnthropicPlace& where) {
  const std::string type = json::word(block, "type");
  if (type == "tool_use") {
    auto call = neutral_call(block, place);
    if (!call) return tl::make_unexpected(call.error());
    calls.push_back(std::move(*call));
    where.calls.push_back(place);
    return {};
  }
  if (type == "redacted_thinking") {
    if (const Value opaque = foreign_opaque(json::word(block, "data")); !opaque.is_null()) {
      foreign(opaque, parts, signatures_);
      where.parts.resize(parts.size(), place);
      return {};
    }
  }
  auto part = neutral_part(block, place, kind_);
  if (!part) return tl::make_unexpected(part.error());
  parts.push_back(std::move(*part));
  where.parts.push_back(place);
  return {};
}

Checked Reader::assistant(const Value& blocks, const std::string& place) {
  AnthropicPlace where{place, {}, {}};
  Value parts = Value::array(), calls = Value::array();
  signatures_ = Value::array();
  for (size_t i = 0; i < blocks.size(); ++i) {
    const Checked read = assistant_block(blocks[i], numbered(place + ".content", i), parts, calls, where);
    if (!read) return read;
  }
  // `index` counts the calls of an answer, which is one turn here.
  for (const Value& signature : signatures_) {
    const Value& index = signature["index"];
    if (!index.is_number_unsigned() || index.get<size_t>() >= calls.size()) continue;
    calls[index.get<size_t>()]["extra_content"] = signature["extra"];
  }
  Value message = {{"role", "assistant"}, {"content", nullptr}};
  if (!parts.empty() || calls.empty()) message["content"] = content_of(std::move(parts), "");
  if (!calls.empty()) message["tool_calls"] = std::move(calls);
  add(std::move(message), std::move(where));
  return {};
}

}  // namespace

tl::expected<AnthropicTurns, Error> read_anthropic_turns(const Value& system, const Value& messages,
                                                         std::string_view kind) {
  Reader reader(kind);
  if (const Checked read = reader.system(system); !read) return tl::make_unexpected(read.error());
  if (!messages.is_array() || messages.empty()) return refuse("messages", "must be an array with at least one message");
  for (size_t i = 0; i < messages.size(); ++i) {
    const Checked read = reader.message(messages[i], numbered("messages", i));
    if (!read) return tl::make_unexpected(read.error());
  }
  return reader.take();
}

namespace {

// The number in "[12]" at the start of `text`, which is removed.
std::optional<size_t> take_number(std::string_view& text) {
  size_t number = 0;
  if (!text.starts_with('[')) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data() + 1, text.data() + text.size(), number);
  if (error != std::errc() || end == text.data() + text.size() || *end != ']') return std::nullopt;
  text.remove_prefix(static_cast<size_t>(end - text.data()) + 1);
  return number;
}

}  // namespace

std::string AnthropicTurns::client_place(const std::string& neutral) const {
  std::string_view rest = neutral;
  rest.remove_prefix(std::string_view("messages").size());
  const auto number = take_number(rest);
  if (!number || *number >= places.size()) return neutral;
  const AnthropicPlace& place = places[*number];
  const std::pair<std::string_view, const std::vector<std::string>*> lists[] = {{".content", &place.parts},
                                                                                {".tool_calls", &place.calls}};
  for (const auto& [name, list] : lists) {
    if (!rest.starts_with(name)) continue;
    std::string_view after = rest.substr(name.size());
    const auto item = take_number(after);
    if (item && *item < list->size()) return (*list)[*item];
  }
  return place.own;
}

}  // namespace tokenrelay::surface
