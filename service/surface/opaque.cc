#include "service/surface/opaque.h"

namespace tokenrelay::surface {

using json::Value;

Value opaque_part(const Value& opaque, std::string_view upstream_kind, const std::string& thought) {
  if (json::word(opaque, "provider") != upstream_kind) return nullptr;
  const std::string type = json::word(opaque, "type"), data = json::word(opaque, "data");
  if (type == "signature") return Value{{"type", "thinking"}, {"thinking", thought}, {"signature", data}};
  if (type == "redacted_thinking") return Value{{"type", type}, {"data", data}};
  if (type != "encrypted_reasoning") return nullptr;
  Value part = {{"type", "reasoning"}};
  if (const std::string id = json::word(opaque, "id"); !id.empty()) part["id"] = id;
  part["encrypted_content"] = data;
  part["summary"] = Value::array();
  return part;
}

Value thought_signature(const std::string& data) {
  return Value{{"google", Value{{"thought_signature", data}}}};
}

}  // namespace tokenrelay::surface
