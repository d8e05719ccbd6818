#include "service/surface/anthropic/blocks.h"

#include "service/json/blank.h"
#include "service/text/base64.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Part = tl::expected<Value, Error>;

const Value& source_of(const Value& block) {
  static const Value none;
  return block.contains("source") ? block["source"] : none;
}

std::string data_url(const Value& source) {
  return "data:" + json::word(source, "media_type") + ";base64," + json::word(source, "data");
}

Part image_part(const Value& block, const std::string& place) {
  const Value& source = source_of(block);
  const std::string type = json::word(source, "type");
  if (type != "base64" && type != "url") {
    return refuse(place + ".source", "must be of type base64 or url: the relay does not support other images");
  }
  const std::string url = type == "url" ? json::word(source, "url") : data_url(source);
  return Value{{"type", "image_url"}, {"image_url", Value{{"url", url}}}};
}

// Only Anthropic has documents of plain text; for other upstreams they become text.
Value text_document(const Value& block, const Value& source, std::string_view kind) {
  const std::string text = json::word(source, "data"), title = json::word(block, "title");
  if (kind != "anthropic") return Value{{"type", "text"}, {"text", title.empty() ? text : title + "\n\n" + text}};
  return Value{{"type", "file"}, {"file", Value{{"file_data", "data:text/plain;base64," + text::base64(text)}}}};
}

Part document_part(const Value& block, const std::string& place, std::string_view kind) {
  const Value& source = source_of(block);
  const std::string type = json::word(source, "type"), title = json::word(block, "title");
  if (block.contains("citations") && !json::is_blank(block["citations"])) {
    return refuse(place + ".citations", "is not supported by the relay");
  }
  if (!json::word(block, "context").empty()) return refuse(place + ".context", "is not supported by the relay");
  Value part;
  if (type == "text") {
    part = text_document(block, source, kind);
  } else if (type == "base64") {
    part = Value{{"type", "file"}, {"file", Value{{"file_data", data_url(source)}}}};
  } else if (type == "url") {
    part = Value{{"type", "file"}, {"file", Value{{"file_url", json::word(source, "url")}}}};
  } else if (type == "file") {
    part = Value{{"type", "file"}, {"file", Value{{"file_id", json::word(source, "file_id")}}}};
  } else {
    return refuse(place + ".source", "sources of this type are not supported by the relay");
  }
  if (!title.empty() && part.contains("file")) part["file"]["filename"] = title;
  return part;
}

Part plain_part(const Value& block, const std::string& place, std::string_view kind) {
  const std::string type = json::word(block, "type");
  if (type == "text") return Value{{"type", "text"}, {"text", json::word(block, "text")}};
  if (type == "image") return image_part(block, place);
  if (type == "document") return document_part(block, place, kind);
  if (type == "thinking") {
    return Value{{"type", "thinking"},
                 {"thinking", json::word(block, "thinking")},
                 {"signature", json::word(block, "signature")}};
  }
  if (type == "redacted_thinking") return Value{{"type", "redacted_thinking"}, {"data", json::word(block, "data")}};
  if (type.empty()) return refuse(place + ".type", "is missing");
  return refuse(place, "blocks of type " + type.substr(0, 64) + " are not supported here by the relay");
}

}  // namespace

Part neutral_part(const Value& block, const std::string& place, std::string_view kind) {
  Part part = plain_part(block, place, kind);
  const bool marked = part && kind == "anthropic" && block.contains("cache_control");
  if (marked && block["cache_control"].is_object()) (*part)["cache_control"] = block["cache_control"];
  return part;
}

Part neutral_call(const Value& block, const std::string& place) {
  if (json::word(block, "id").empty()) return refuse(place + ".id", "is missing");
  if (json::word(block, "name").empty()) return refuse(place + ".name", "is missing");
  const bool empty = !block.contains("input") || json::is_empty(block["input"]);
  const Value input = empty ? Value::object() : block["input"];
  return Value{{"id", json::word(block, "id")},
               {"type", "function"},
               {"function", Value{{"name", json::word(block, "name")}, {"arguments", json::dump(input)}}}};
}

}  // namespace tokenrelay::surface
