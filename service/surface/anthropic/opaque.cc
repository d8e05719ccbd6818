#include "service/surface/anthropic/opaque.h"

#include "service/surface/anthropic/blocks.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

// Marks the data of a redacted_thinking block as another provider's. It is not base64, as Anthropic's own data is.
constexpr std::string_view mark = "tokenrelay:";

}  // namespace

Value opaque_block(const Value& opaque) {
  const bool own = json::word(opaque, "provider") == "anthropic";
  if (own && json::word(opaque, "type") == "signature") return nullptr;
  const std::string data = own ? json::word(opaque, "data") : std::string(mark) + json::dump(opaque);
  return Value{{"type", "redacted_thinking"}, {"data", data}};
}

Value foreign_opaque(const std::string& data) {
  if (!data.starts_with(mark)) return nullptr;
  auto opaque = json::parse(std::string_view(data).substr(mark.size()));
  return opaque && opaque->is_object() ? std::move(*opaque) : Value::object();
}

}  // namespace tokenrelay::surface
