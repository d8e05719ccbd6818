#include "service/surface/gemini/fold.h"

#include <algorithm>
#include <utility>

#include "service/json/depth.h"
#include "service/json/exact.h"
#include "service/json/sax.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

bool is_text(const Value& part) {
  if (!part.is_object() || !part.contains("text") || !part["text"].is_string()) return false;
  return std::all_of(part.items().begin(), part.items().end(),
                     [](const auto& member) { return member.key() == "text" || member.key() == "thought"; });
}

bool is_thought(const Value& part) {
  return part.value("thought", Value()) == true;
}

// Neighbouring texts of one kind are one part, as in a response that was not streamed. A signature ends a part.
void add_part(Value& parts, const Value& part) {
  const bool joins = !parts.empty() && is_text(parts.back()) && part.is_object() && part.contains("text") &&
                     part["text"].is_string() && is_thought(part) == is_thought(parts.back());
  if (!joins) return parts.push_back(part);
  Value joined = std::move(parts.back());
  joined["text"].get_ref<std::string&>() += part["text"].get_ref<const std::string&>();
  for (const auto& [name, value] : part.items()) {
    if (name != "text") joined[name] = value;
  }
  parts.back() = std::move(joined);
}

void take_content(Value& content, const Value& more) {
  if (!more.is_object()) return;
  if (!content.is_object()) content = Value::object();
  for (const auto& [name, value] : more.items()) {
    if (name != "parts" || !value.is_array()) {
      content[name] = value;
      continue;
    }
    Value& parts = content["parts"];
    if (!parts.is_array()) parts = Value::array();
    for (const Value& part : value) add_part(parts, part);
  }
}

Value& candidate_of(Value& candidates, const Value& index) {
  const auto same = std::find_if(candidates.begin(), candidates.end(),
                                 [&](const Value& one) { return one.value("index", Value(0)) == index; });
  if (same != candidates.end()) return *same;
  candidates.push_back(Value::object());
  return candidates.back();
}

}  // namespace

void ResponseFold::take(Value chunk) {
  if (!chunk.is_object()) return;
  has_reason_ |= !chunk.contains("error") && ends_gemini(json::dump_exact(chunk));
  if (chunk.contains("response") && chunk["response"].is_object()) {
    Value inner = std::move(chunk["response"]);
    chunk = std::move(inner);
  }
  for (const auto& [name, value] : chunk.items()) {
    if (name != "candidates" || !value.is_array()) {
      response_[name] = value;
      continue;
    }
    Value& candidates = response_["candidates"];
    if (!candidates.is_array()) candidates = Value::array();
    for (const Value& candidate : value) {
      if (!candidate.is_object()) continue;
      Value& one = candidate_of(candidates, candidate.value("index", Value(0)));
      for (const auto& [member, said] : candidate.items()) {
        if (member == "content") {
          take_content(one["content"], said);
        } else {
          one[member] = said;
        }
      }
    }
  }
}

bool ends_gemini(std::string_view chunk) {
  bool ends = false;
  std::string scratch;
  json::Reader in(chunk, scratch, json::deepest);
  const auto said = [&in] { return in.peek() == json::Reader::Kind::string && !in.string().empty(); };
  const auto candidate = [&](std::string_view member) {
    if (member == "finishReason") ends |= said();
  };
  const auto read = [&](const auto& self, std::string_view key) -> void {
    if (key == "error") {
      ends |= in.raw() != "null";
    } else if (key == "promptFeedback") {
      in.object([&](std::string_view member) {
        if (member == "blockReason") ends |= said();
      });
    } else if (key == "candidates") {
      in.array([&] { in.object(candidate); });
    } else if (key == "response") {
      in.object([&](std::string_view inner) { self(self, inner); });
    }
  };
  in.object([&](std::string_view key) { read(read, key); });
  return ends;
}

}  // namespace tokenrelay::surface
