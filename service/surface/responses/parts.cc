#include "service/surface/responses/parts.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using ReadPart = tl::expected<Value, Error>;

ReadPart read_image(const Value& part, const std::string& place) {
  const std::string url = json::word(part, "image_url");
  if (url.empty()) return refuse(place + ".image_url", "must be a URL: the relay does not store files");
  Value image = {{"url", url}};
  if (const auto detail = json::word(part, "detail"); !detail.empty()) image["detail"] = detail;
  return Value{{"type", "image_url"}, {"image_url", std::move(image)}};
}

ReadPart read_file(const Value& part, const std::string& place) {
  Value file = Value::object();
  for (const char* name : {"file_data", "file_url", "file_id", "filename"}) {
    if (const auto value = json::word(part, name); !value.empty()) file[name] = value;
  }
  if (file.empty()) return refuse(place, "must have file_data, file_url or file_id");
  return Value{{"type", "file"}, {"file", std::move(file)}};
}

ReadPart read_part(const Value& part, const std::string& place) {
  const std::string type = json::word(part, "type");
  if (type == "input_text" || type == "output_text" || type == "text") {
    if (!part.contains("text") || !part["text"].is_string()) return refuse(place + ".text", "must be a string");
    return Value{{"type", "text"}, {"text", part["text"]}};
  }
  if (type == "refusal") return Value{{"type", "refusal"}, {"refusal", json::word(part, "refusal")}};
  if (type == "input_image") return read_image(part, place);
  if (type == "input_file") return read_file(part, place);
  if (type == "input_audio" && part.contains("input_audio")) {
    return Value{{"type", "input_audio"}, {"input_audio", part["input_audio"]}};
  }
  return refuse(place + ".type", "content parts of this type are not supported by the relay");
}

}  // namespace

ReadPart read_parts(const Value& item, const char* name, const std::string& place) {
  const auto content = item.find(name);
  Value parts = Value::array();
  if (content != item.end() && content->is_string()) {
    parts.push_back(Value{{"type", "text"}, {"text", *content}});
    return parts;
  }
  const std::string where = place + "." + name;
  if (content == item.end() || !content->is_array()) return refuse(where, "must be a string or an array of parts");
  for (size_t i = 0; i < content->size(); ++i) {
    auto part = read_part((*content)[i], where + "[" + std::to_string(i) + "]");
    if (!part) return part;
    parts.push_back(std::move(*part));
  }
  return parts;
}

}  // namespace tokenrelay::surface
