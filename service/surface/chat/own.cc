#include "service/surface/chat/own.h"

#include <algorithm>
#include <array>

#include "service/json/depth.h"
#include "service/json/sax.h"
#include "service/json/write.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

constexpr std::string_view spaces = " \t";

// Strings that are a word, not a piece of a text.
bool is_word(std::string_view name) {
  static constexpr std::array<std::string_view, 8> words = {"id",     "type", "role",      "name",
                                                            "object", "url",  "mime_type", "format"};
  return std::find(words.begin(), words.end(), name) != words.end();
}

void merge(Value& into, const Value& piece);

// Elements of the same index are pieces of one.
void merge_elements(Value& into, const Value& pieces) {
  for (const Value& piece : pieces) {
    const bool numbered = piece.is_object() && piece.contains("index");
    const auto same = std::find_if(into.begin(), into.end(), [&](const Value& one) {
      return numbered && one.is_object() && one.value("index", Value()) == piece["index"];
    });
    if (same != into.end()) {
      merge(*same, piece);
    } else {
      into.push_back(piece);
    }
  }
}

void merge_member(Value& into, std::string_view name, const Value& piece) {
  if (piece.is_null()) return;
  if (piece.is_string() && into.is_string() && !is_word(name)) {
    into.get_ref<std::string&>() += piece.get_ref<const std::string&>();
  } else if (piece.is_object() && into.is_object()) {
    merge(into, piece);
  } else if (piece.is_array() && into.is_array()) {
    merge_elements(into, piece);
  } else if (!(piece.is_string() && into.is_string() && piece.get_ref<const std::string&>().empty())) {
    into = piece;
  }
}

void merge(Value& into, const Value& piece) {
  for (const auto& [name, value] : piece.items()) {
    if (into.contains(name)) {
      merge_member(into[name], name, value);
    } else {
      into[name] = value;
    }
  }
}

void take_choice(Value& choices, const Value& choice) {
  if (!choice.is_object()) return;
  const Value index = choice.value("index", Value(0));
  auto same = std::find_if(choices.begin(), choices.end(), [&](const Value& one) { return one["index"] == index; });
  if (same == choices.end()) {
    choices.push_back(Value{{"index", index}, {"message", Value::object()}});
    same = std::prev(choices.end());
  }
  for (const auto& [name, value] : choice.items()) {
    if (name == "delta" || name == "message") {
      if (value.is_object()) merge((*same)["message"], value);
    } else if (name == "logprobs" && same->contains(name)) {
      merge_member((*same)[name], name, value);
    } else if (name != "index" && (!value.is_null() || !same->contains(name))) {
      (*same)[name] = value;
    }
  }
}

bool says_else(const Value& message) {
  return std::any_of(message.items().begin(), message.items().end(), [](const auto& member) {
    return (member.key() == "tool_calls" || member.key() == "refusal" || member.key() == "function_call") &&
           !member.value().is_null();
  });
}

}  // namespace

void drop_null_usage(std::string& chunk) {
  constexpr std::string_view key = "\"usage\"";
  const size_t at = chunk.rfind(key);  // inside a string its quotes would be escaped
  if (at == chunk.npos) return;
  const size_t colon = chunk.find_first_not_of(spaces, at + key.size());
  if (colon == chunk.npos || chunk[colon] != ':') return;
  const size_t value = chunk.find_first_not_of(spaces, colon + 1);
  if (value == chunk.npos || !std::string_view(chunk).substr(value).starts_with("null")) return;
  size_t from = at, to = chunk.find_first_not_of(spaces, value + 4);
  if (to == chunk.npos) return;
  if (chunk[to] == ',') {
    to = std::min(chunk.find_first_not_of(spaces, to + 1), chunk.size());
  } else if (const size_t comma = chunk.find_last_not_of(spaces, at - 1); comma != chunk.npos && chunk[comma] == ',') {
    from = comma;
  }
  chunk.erase(from, to - from);
}

OwnChunk read_own_chunk(std::string_view json) {
  OwnChunk chunk;
  std::string scratch;
  json::Reader in(json, scratch, json::deepest);
  in.object([&](std::string_view key) {
    if (key == "id") {
      chunk.id = in.raw();
    } else if (key == "created") {
      chunk.created = in.raw();
    } else if (key == "model") {
      chunk.model = in.raw();
    } else if (key == "usage") {
      chunk.has_usage = in.raw() != "null";
    } else if (key == "error") {
      chunk.has_error = in.raw() != "null";
    } else if (key == "choices") {
      in.array([&] {
        chunk.has_choices = true;
        in.object([&](std::string_view member) {
          if (member == "finish_reason") {
            chunk.has_reason |= !in.string().empty();
          } else if (member == "delta") {
            in.object([&](std::string_view said) { chunk.has_role |= said == "role"; });
          }
        });
      });
    }
  });
  return chunk;
}

std::string own_head(const OwnChunk& first, const std::string& otherwise) {
  if (first.id.empty() || first.created.empty() || first.model.empty()) return otherwise;
  return R"({"id":)" + first.id + R"(,"object":"chat.completion.chunk","created":)" + first.created + R"(,"model":)" +
         first.model;
}

void CompletionFold::take(Value chunk) {
  if (!chunk.is_object()) return;
  for (const auto& [name, value] : chunk.items()) {
    if (name == "choices") {
      if (!value.is_array()) continue;
      Value& choices = completion_[name];
      if (!choices.is_array()) choices = Value::array();
      for (const Value& choice : value) take_choice(choices, choice);
    } else if (name != "obfuscation" && (!value.is_null() || !completion_.contains(name))) {
      completion_[name] = value;
    }
  }
}

// A whole message without text has none, and no numbers on its calls.
Value CompletionFold::completion() && {
  completion_["object"] = "chat.completion";
  for (Value& choice : completion_["choices"]) {
    for (const char* needed : {"finish_reason", "logprobs"}) {
      if (!choice.contains(needed)) choice[needed] = nullptr;
    }
    Value& message = choice["message"];  // from here on nothing is added beside it
    for (const auto& [name, value] : {std::pair<const char*, Value>{"role", "assistant"}, {"content", nullptr}}) {
      if (!message.contains(name)) message[name] = value;
    }
    if (!message.contains("refusal")) message["refusal"] = nullptr;
    if (message.value("content", Value()) == "" && says_else(message)) message["content"] = nullptr;
    const auto calls = choice["message"].find("tool_calls");
    if (calls == choice["message"].end() || !calls->is_array()) continue;
    for (Value& call : *calls) {
      if (call.is_object()) call.erase("index");
    }
  }
  return std::move(completion_);
}

}  // namespace tokenrelay::surface
