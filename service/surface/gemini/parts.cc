#include "service/surface/gemini/parts.h"

#include <algorithm>
#include <array>
#include <utility>

#include "service/json/blank.h"
#include "service/surface/gemini/members.h"
#include "service/surface/gemini/opaque.h"
#include "service/surface/opaque.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Part = tl::expected<Value, Error>;

Part inline_part(const Value& blob, const std::string& place) {
  const std::string type = json::word(blob, "mimeType"), data = json::word(blob, "data");
  if (type.empty() || data.empty()) return refuse(place + ".inlineData", "must have mimeType and data");
  const std::string url = "data:" + type + ";base64," + data;
  if (type.starts_with("image/")) return Value{{"type", "image_url"}, {"image_url", Value{{"url", url}}}};
  if (type.starts_with("audio/")) {
    std::string format = type.substr(6);
    if (format == "mpeg") format = "mp3";
    if (format == "x-wav") format = "wav";
    return Value{{"type", "input_audio"}, {"input_audio", Value{{"data", data}, {"format", format}}}};
  }
  Value file = {{"file_data", url}};
  if (const std::string name = json::word(blob, "displayName"); !name.empty()) file["filename"] = name;
  return Value{{"type", "file"}, {"file", std::move(file)}};
}

Part file_part(const Value& data, const std::string& place, std::string_view kind) {
  const std::string type = json::word(data, "mimeType"), uri = json::word(data, "fileUri");
  if (uri.empty()) return refuse(place + ".fileData.fileUri", "is missing");
  if (type.starts_with("image/") && kind != "gemini") {
    return Value{{"type", "image_url"}, {"image_url", Value{{"url", uri}}}};
  }
  Value file = {{"file_url", uri}};
  if (kind == "gemini" && !type.empty()) file["mime_type"] = type;
  return Value{{"type", "file"}, {"file", std::move(file)}};
}

// The text of a thought is left out; its signature is kept.
Value text_part(const Value& part, std::string_view kind, std::string& thought) {
  const auto mark = part.find("thought");
  const bool is_thought = mark != part.end() && *mark == true;
  const std::string text = json::word(part, "text"), signature = json::word(part, "thoughtSignature");
  if (is_thought) thought += text;
  if (const auto foreign = foreign_opaque_of(signature)) return opaque_part(*foreign, kind, std::exchange(thought, {}));
  if (!is_thought) thought.clear();
  Value out = {{"type", "text"}, {"text", is_thought ? std::string() : text}};
  if (!signature.empty() && kind == "gemini") out["extra_content"] = thought_signature(signature);
  if (out["text"] == "" && !out.contains("extra_content")) return nullptr;
  return out;
}

}  // namespace

Part read_gemini_part(const Value& part, const std::string& place, std::string_view upstream_kind,
                      std::string& thought) {
  static constexpr std::array<std::string_view, 5> known = {"text", "thought", "thoughtSignature", "inlineData",
                                                            "fileData"};
  for (const auto& [name, value] : part.items()) {
    if (!json::is_blank(value) && std::find(known.begin(), known.end(), name) == known.end()) {
      return refuse(place + "." + name, "is not supported by the relay");
    }
  }
  const auto has = [&](const char* name) { return part.contains(name) && !json::is_empty(part[name]); };
  if (has("inlineData")) return inline_part(camel_members(part["inlineData"]), place);
  if (has("fileData")) return file_part(camel_members(part["fileData"]), place, upstream_kind);
  if (part.contains("text") && !part["text"].is_string()) return refuse(place + ".text", "must be a string");
  return text_part(part, upstream_kind, thought);
}

}  // namespace tokenrelay::surface
