#include "service/upstream/gemini/turns.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace tokenrelay::upstream {
namespace {

using json::Value;
using Kind = PromptPart::Kind;
using Role = PromptMessage::Role;
using Part = tl::expected<Value, UnsupportedField>;

constexpr const char* placeholder = "skip_thought_signature_validator";  // Google's, for calls of other models

// Vertex requires it; "" if the URL does not show it.
std::string media_type_of(std::string_view url) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 12> types = {{{".png", "image/png"},
                                                                                           {".jpg", "image/jpeg"},
                                                                                           {".jpeg", "image/jpeg"},
                                                                                           {".gif", "image/gif"},
                                                                                           {".webp", "image/webp"},
                                                                                           {".heic", "image/heic"},
                                                                                           {".pdf", "application/pdf"},
                                                                                           {".txt", "text/plain"},
                                                                                           {".csv", "text/csv"},
                                                                                           {".mp3", "audio/mp3"},
                                                                                           {".wav", "audio/wav"},
                                                                                           {".mp4", "video/mp4"}}};
  const std::string_view path = url.substr(0, url.find_first_of("?#"));
  for (const auto& [ending, type] : types) {
    if (path.ends_with(ending)) return std::string(type);
  }
  return {};
}

// `raw`: the part as received; its mime_type, which the Gemini surface sets, is better than a guess.
Value file_data(const std::string& uri, const Value& raw) {
  static const Value::json_pointer said("/file/mime_type");
  Value file = {{"fileUri", uri}};
  std::string type = media_type_of(uri);
  if (raw.contains(said) && raw[said].is_string()) type = raw[said].get<std::string>();
  if (!type.empty()) file["mimeType"] = type;
  return {{"fileData", std::move(file)}};
}

Part media_part(const PromptPart& part, const std::string& place) {
  if (!part.url.empty()) return file_data(part.url, part.raw);
  if (!part.file_id.empty()) {
    if (part.file_id.find("://") != std::string::npos) return file_data(part.file_id, part.raw);
    return refuse(place + ".file.file_id", "must be the file's URI for this upstream");
  }
  if (part.data.empty()) return refuse(place, "must have data or a URL");
  if (part.media_type.empty()) return refuse(place, "must have a media type");
  return Value{{"inlineData", {{"mimeType", part.media_type}, {"data", part.data}}}};
}

// Null: the part is left out.
Part part_of(const PromptPart& part, const std::string& place) {
  switch (part.kind) {
    case Kind::text:
    case Kind::refusal: {
      if (part.text.empty() && part.signature.empty()) return Value();
      Value text = {{"text", part.text}};
      if (!part.signature.empty()) text["thoughtSignature"] = part.signature;
      return text;
    }
    case Kind::image:
    case Kind::audio:
    case Kind::file:
      return media_part(part, place);
    default:
      return Value();
  }
}

tl::expected<Value, UnsupportedField> parts_of(const PromptMessage& message) {
  Value parts = Value::array();
  for (size_t i = 0; i < message.parts.size(); ++i) {
    Part part = part_of(message.parts[i], path_of(message, i));
    if (!part) return part;
    if (part->is_null()) continue;
    if (message.role == Role::system && !part->contains("text")) {
      return refuse(path_of(message, i), "only text is supported in system messages by this upstream");
    }
    parts.push_back(std::move(*part));
  }
  return parts;
}

Part call_of(const PromptToolCall& call, const std::string& place) {
  auto args = json::parse(call.arguments, json::deepest);
  if (!args || !args->is_object()) {
    return refuse(place + ".function.arguments", "must be a JSON object for this upstream");
  }
  Value said = {{"name", call.name}, {"args", std::move(*args)}};
  if (!call.id.empty()) said["id"] = call.id;
  Value part = {{"functionCall", std::move(said)}};
  if (!call.thought_signature.empty()) part["thoughtSignature"] = call.thought_signature;
  return part;
}

Value response_of(const PromptMessage& message, const std::string& text) {
  if (message.is_error) return {{"error", text}};
  auto parsed = json::parse(text, json::deepest);
  if (parsed && parsed->is_object()) return std::move(*parsed);
  return {{"result", text}};
}

// Everything in a result that is not text goes into functionResponse.parts.
Part result_of(const PromptMessage& message, const std::map<std::string, std::string>& names) {
  const auto named = names.find(message.tool_call_id);
  const std::string name = named != names.end() ? named->second : message.name;
  if (name.empty()) return refuse(path_of(message) + ".tool_call_id", "does not match a tool call of an earlier turn");
  auto parts = parts_of(message);
  if (!parts) return parts;
  Value result = {{"name", name}, {"response", response_of(message, text_of(message.parts))}};
  if (!message.tool_call_id.empty()) result["id"] = message.tool_call_id;
  for (Value& part : *parts) {
    if (!part.contains("text")) result["parts"].push_back(std::move(part));
  }
  return Value{{"functionResponse", std::move(result)}};
}

class Turns {
 public:
  Turns(Value& contents, bool needs_signatures) : contents_(contents), needs_signatures_(needs_signatures) {}

  tl::expected<void, UnsupportedField> add(const PromptMessage& message) {
    auto parts = message.role == Role::tool ? results(message) : said(message);
    if (!parts) return tl::make_unexpected(parts.error());
    if (parts->empty()) return {};
    if (last_ == message.role) {
      for (Value& part : *parts) contents_.back()["parts"].push_back(std::move(part));
    } else {
      contents_.push_back({{"role", message.role == Role::assistant ? "model" : "user"}, {"parts", std::move(*parts)}});
    }
    last_ = message.role;
    return {};
  }

 private:
  Part results(const PromptMessage& message) {
    auto result = result_of(message, names_);
    return result ? Part(Value::array({std::move(*result)})) : result;
  }

  Part said(const PromptMessage& message) {
    auto parts = parts_of(message);
    for (size_t i = 0; parts && i < message.tool_calls.size(); ++i) {
      const PromptToolCall& call = message.tool_calls[i];
      Part part = call_of(call, path_of(message) + ".tool_calls[" + std::to_string(i) + "]");
      if (!part) return part;
      if (i == 0 && needs_signatures_ && call.thought_signature.empty()) (*part)["thoughtSignature"] = placeholder;
      names_[call.id] = call.name;
      parts->push_back(std::move(*part));
    }
    return parts;
  }

  Value& contents_;
  const bool needs_signatures_;
  std::map<std::string, std::string> names_;  // of functions, by the call's id
  std::optional<Role> last_;
};

}  // namespace

bool is_gemini_3(std::string_view model) {
  const size_t slash = model.rfind('/');
  return model.substr(slash == model.npos ? 0 : slash + 1).starts_with("gemini-3");
}

tl::expected<GeminiContents, UnsupportedField> gemini_contents(const Prompt& prompt, std::string_view model) {
  GeminiContents made;
  Turns turns(made.contents, is_gemini_3(model));
  for (const PromptMessage& message : prompt.messages) {
    if (message.role == Role::system) {
      auto parts = parts_of(message);
      if (!parts) return tl::make_unexpected(parts.error());
      for (Value& part : *parts) made.system.push_back(std::move(part));
    } else if (const auto added = turns.add(message); !added) {
      return tl::make_unexpected(added.error());
    }
  }
  return made;
}

}  // namespace tokenrelay::upstream
