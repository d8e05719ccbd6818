#include "service/surface/anthropic/fold.h"

#include <algorithm>

#include "service/json/exact.h"
#include "service/upstream/own_request.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

// Members that the object has already are replaced, those of objects one by one.
void update(Value& object, const Value& with) {
  if (!with.is_object()) return;
  if (!object.is_object()) object = Value::object();
  for (const auto& [name, value] : with.items()) object[name] = value;
}

void append(Value& text, const Value& piece) {
  if (text.is_string()) {
    text.get_ref<std::string&>() += piece.get_ref<const std::string&>();
  } else {
    text = piece;
  }
}

}  // namespace

void MessageFold::take(Value event) {
  if (!event.is_object()) return;
  const std::string type = json::word(event, "type");
  if (type == "message_start") {
    update(message_, event.value("message", Value::object()));
  } else if (type == "content_block_start") {
    Value block = event.value("content_block", Value::object());
    if (block.is_object()) blocks_.push_back({event.value("index", Value()), std::move(block), {}});
  } else if (type == "content_block_delta") {
    Block* const block = block_of(event);
    if (block && event.contains("delta") && event["delta"].is_object()) add(*block, event["delta"]);
  } else if (type == "message_delta") {
    update(message_, event.value("delta", Value::object()));
    if (event.contains("usage")) update(message_["usage"], event["usage"]);
    for (const char* told : {"type", "delta", "usage"}) event.erase(told);
    update(message_, event);
  }
}

MessageFold::Block* MessageFold::block_of(const Value& event) {
  const Value index = event.value("index", Value());
  const auto block =
      std::find_if(blocks_.rbegin(), blocks_.rend(), [&](const Block& one) { return one.index == index; });
  return block == blocks_.rend() ? nullptr : &*block;
}

// A delta of a kind that is not known yet: texts grow, lists grow, the rest is replaced.
void MessageFold::add(Block& block, const Value& delta) {
  for (const auto& [name, piece] : delta.items()) {
    if (name == "type") continue;
    if (name == "partial_json") {
      if (piece.is_string()) block.input += piece.get_ref<const std::string&>();
    } else if (name == "citation") {
      Value& citations = block.content["citations"];
      if (!citations.is_array()) citations = Value::array();
      citations.push_back(piece);
    } else if (!piece.is_string()) {
      block.content[name] = piece;
    } else {
      append(block.content[name], piece);
    }
  }
}

Value MessageFold::message() && {
  Value content = Value::array();
  for (Block& block : blocks_) {
    if (!block.input.empty()) {
      auto input = json::parse_exact(block.input);
      block.content["input"] = input ? std::move(*input) : Value(std::move(block.input));
    }
    content.push_back(std::move(block.content));
  }
  message_["content"] = std::move(content);
  return std::move(message_);
}

void complete_message(Value& message, std::string_view id, std::string_view model) {
  if (!message.is_object()) message = Value::object();
  const auto needs = [&message](const char* name, Value value) {
    if (!message.contains(name)) message[name] = std::move(value);
  };
  needs("id", id);
  needs("type", "message");
  needs("role", "assistant");
  needs("model", model);
  needs("content", Value::array());
  needs("stop_reason", nullptr);
  needs("stop_sequence", nullptr);
  needs("usage", Value{{"input_tokens", 0}, {"output_tokens", 0}});
}

std::string complete_start(std::string_view event, std::string_view model) {
  const std::string_view raw = upstream::member_of(event, "message");
  auto message = json::parse_exact(raw);
  if (!message || !message->is_object()) return std::string(event);
  const size_t members = message->size();
  complete_message(*message, json::word(*message, "id"), model);
  if (message->size() == members) return std::string(event);
  return upstream::with_members(event, {{"message", json::dump_exact(*message)}});
}

}  // namespace tokenrelay::surface
