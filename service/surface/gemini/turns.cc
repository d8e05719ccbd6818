#include "service/surface/gemini/turns.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "service/json/blank.h"
#include "service/surface/content.h"
#include "service/surface/gemini/members.h"
#include "service/surface/gemini/opaque.h"
#include "service/surface/gemini/parts.h"
#include "service/surface/opaque.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Read = tl::expected<void, Error>;

bool is_plain(const Value& part) {
  return part["type"] == "text" && part.size() == 2;
}

// A turn's parts: an array, or a single part.
tl::expected<std::vector<Value>, Error> parts_of(const Value& turn, const std::string& place) {
  std::vector<Value> parts;
  const auto given = turn.find("parts");
  if (given == turn.end() || given->is_null()) return parts;
  const Value array = given->is_object() ? Value::array({*given}) : *given;
  if (!array.is_array()) return refuse(place + ".parts", "must be an array");
  for (size_t i = 0; i < array.size(); ++i) {
    if (!array[i].is_object()) return refuse(numbered(place + ".parts", i), "must be an object");
    parts.push_back(camel_members(array[i]));
  }
  return parts;
}

class Reader {
 public:
  explicit Reader(std::string_view kind) : kind_(kind) {}

  Read system(const Value& given);
  Read turn(const Value& turn, const std::string& place);
  Value take() {
    end_model();
    return std::move(messages_);
  }

 private:
  struct Open {
    std::string client_id, name, id;
  };

  Read user(const std::vector<Value>& parts, const std::string& place);
  Read model(const std::vector<Value>& parts, const std::string& place);
  Read result(const Value& given, const std::string& place);
  Read call(const Value& part, const std::string& place);
  void end_model();
  Read add_part(Value& out, const Value& part, const std::string& place);
  std::string new_id(const std::string& wanted);

  const std::string_view kind_;
  Value said_ = Value::array(), calls_ = Value::array();  // of the model's turn being read
  std::string thought_;
  Value messages_ = Value::array();
  std::vector<Open> open_;  // calls without a result so far
  std::set<std::string> ids_;
};

Read Reader::add_part(Value& out, const Value& part, const std::string& place) {
  auto read = read_gemini_part(part, place, kind_, thought_);
  if (!read) return tl::make_unexpected(read.error());
  if (!read->is_null()) out.push_back(std::move(*read));
  return {};
}

Read Reader::system(const Value& given) {
  const std::string place = "systemInstruction";
  if (json::is_empty(given)) return {};
  if (given.is_string()) {
    messages_.push_back(Value{{"role", "system"}, {"content", given}});
    return {};
  }
  if (!given.is_object()) return refuse(place, "must be an object");
  const auto parts = parts_of(given, place);
  if (!parts) return tl::make_unexpected(parts.error());
  Value said = Value::array();
  for (size_t i = 0; i < parts->size(); ++i) {
    const std::string at = numbered(place + ".parts", i);
    if (!json::is_blank((*parts)[i]) && !(*parts)[i].contains("text")) return refuse(at, "must be a text part");
    if (const Read read = add_part(said, (*parts)[i], at); !read) return read;
  }
  if (!said.empty()) messages_.push_back(Value{{"role", "system"}, {"content", content_of(std::move(said))}});
  return {};
}

Read Reader::turn(const Value& turn, const std::string& place) {
  if (!turn.is_object()) return refuse(place, "must be an object with parts");
  const auto parts = parts_of(turn, place);
  if (!parts) return tl::make_unexpected(parts.error());
  const std::string role = json::word(turn, "role");
  if (role == "model") return model(*parts, place);
  end_model();
  if (role.empty() || role == "user" || role == "function") return user(*parts, place);
  return refuse(place + ".role", "must be user or model");
}

Read Reader::user(const std::vector<Value>& parts, const std::string& place) {
  Value said = Value::array();
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string at = numbered(place + ".parts", i);
    const bool is_result = parts[i].contains("functionResponse");
    const Read read = is_result ? result(camel_members(parts[i]["functionResponse"]), at + ".functionResponse")
                                : add_part(said, parts[i], at);
    if (!read) return read;
  }
  if (!said.empty()) messages_.push_back(Value{{"role", "user"}, {"content", content_of(std::move(said))}});
  return {};
}

Read Reader::result(const Value& given, const std::string& place) {
  const std::string id = json::word(given, "id"), name = json::word(given, "name");
  const auto by = [&](const auto& same) { return std::find_if(open_.begin(), open_.end(), same); };
  auto found = by([&](const Open& open) { return !id.empty() && open.client_id == id; });
  if (found == open_.end()) {
    found = by([&](const Open& open) { return open.name == name && (id.empty() || open.client_id.empty()); });
  }
  if (found == open_.end()) return refuse(place, "does not match a function call of an earlier turn");
  Value message = {{"role", "tool"}, {"tool_call_id", found->id}, {"name", found->name}};
  open_.erase(found);
  const Value response = given.contains("response") ? given["response"] : Value::object();
  if (!response.is_object()) return refuse(place + ".response", "must be an object");
  const bool failed = response.size() == 1 && response.contains("error");
  if (failed && kind_ != "openai") message["is_error"] = true;  // for `openai` the text itself tells
  const Value& told = failed && kind_ != "openai" ? response["error"] : response;
  Value content = Value::array();
  content.push_back(Value{{"type", "text"}, {"text", told.is_string() ? told.get<std::string>() : json::dump(told)}});
  const auto more = parts_of(given, place);
  if (!more) return tl::make_unexpected(more.error());
  for (size_t i = 0; i < more->size(); ++i) {
    if (const Read read = add_part(content, (*more)[i], numbered(place + ".parts", i)); !read) return read;
  }
  message["content"] = content_of(std::move(content), Value::array());
  messages_.push_back(std::move(message));
  return {};
}

std::string Reader::new_id(const std::string& wanted) {
  std::string id = wanted.empty() ? "call_" + std::to_string(ids_.size()) : wanted;
  for (size_t number = ids_.size(); !ids_.insert(id).second; ++number) {
    id = (wanted.empty() ? "call" : wanted) + "_" + std::to_string(number);
  }
  return id;
}

Read Reader::call(const Value& part, const std::string& place) {
  const Value given = camel_members(part["functionCall"]);
  const std::string name = json::word(given, "name"), client_id = json::word(given, "id");
  if (name.empty()) return refuse(place + ".functionCall.name", "is missing");
  const Value args = given.contains("args") ? given["args"] : Value::object();
  if (!args.is_object()) return refuse(place + ".functionCall.args", "must be an object");
  const std::string id = new_id(client_id);
  open_.push_back({client_id, name, id});
  Value made = {{"id", id}, {"type", "function"}, {"function", Value{{"name", name}, {"arguments", json::dump(args)}}}};
  const std::string signature = json::word(part, "thoughtSignature");
  if (!signature.empty() && kind_ == "gemini" && !foreign_opaque_of(signature)) {
    made["extra_content"] = thought_signature(signature);
  }
  calls_.push_back(std::move(made));
  return {};
}

// A chat of @google/genai has a turn for each chunk: adjacent ones are merged.
Read Reader::model(const std::vector<Value>& parts, const std::string& place) {
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::string at = numbered(place + ".parts", i);
    const bool is_call = parts[i].contains("functionCall");
    if (const Read read = is_call ? call(parts[i], at) : add_part(said_, parts[i], at); !read) return read;
    const size_t size = said_.size();
    if (size < 2 || !is_plain(said_[size - 1]) || !is_plain(said_[size - 2])) continue;
    said_[size - 2]["text"].get_ref<std::string&>() += said_[size - 1]["text"].get_ref<const std::string&>();
    said_.erase(size - 1);
  }
  return {};
}

void Reader::end_model() {
  thought_.clear();
  if (said_.empty() && calls_.empty()) return;
  Value message = {{"role", "assistant"}, {"content", nullptr}};
  if (!said_.empty()) message["content"] = content_of(std::exchange(said_, Value::array()));
  if (!calls_.empty()) message["tool_calls"] = std::exchange(calls_, Value::array());
  messages_.push_back(std::move(message));
}

}  // namespace

tl::expected<Value, Error> read_gemini_turns(const Value& body, std::string_view upstream_kind) {
  Reader reader(upstream_kind);
  if (const auto given = body.find("systemInstruction"); given != body.end()) {
    if (const Read read = reader.system(*given); !read) return tl::make_unexpected(read.error());
  }
  const auto contents = body.find("contents");
  const bool single = contents != body.end() && contents->is_object();
  const Value turns = single ? Value::array({*contents}) : contents != body.end() ? *contents : Value();
  if (!turns.is_array() || turns.empty()) return refuse("contents", "must be an array with at least one turn");
  for (size_t i = 0; i < turns.size(); ++i) {
    if (const Read read = reader.turn(turns[i], numbered("contents", i)); !read)
      return tl::make_unexpected(read.error());
  }
  return reader.take();
}

}  // namespace tokenrelay::surface
