#include "service/surface/gemini/opaque.h"

#include "service/surface/gemini/members.h"
#include "service/text/base64.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

constexpr std::string_view mark = "tokenrelay:";
constexpr std::string_view encoded_mark = "dG9rZW5yZWxheTp";  // the start of the base64 of any text with the mark

bool is_own(const Value& opaque) {
  return json::word(opaque, "type") == "thought_signature";
}

}  // namespace

std::string gemini_signature(const Value& opaque) {
  if (is_own(opaque)) return json::word(opaque, "data");
  return opaque.empty() ? std::string() : text::base64(std::string(mark) + json::dump(opaque));
}

std::string gemini_signature_part(const Value& opaque) {
  const std::string signature = gemini_signature(opaque);
  if (signature.empty()) return {};
  Value part = {{"text", ""}};
  if (!is_own(opaque)) part["thought"] = true;
  part["thoughtSignature"] = signature;
  return json::dump(part);
}

std::optional<Value> foreign_opaque_of(const std::string& signature) {
  if (!signature.starts_with(encoded_mark)) return std::nullopt;
  const std::string text = text::from_base64(signature).value_or("");
  if (!text.starts_with(mark)) return std::nullopt;
  auto opaque = json::parse(std::string_view(text).substr(mark.size()));
  return opaque && opaque->is_object() ? std::move(*opaque) : Value::object();
}

}  // namespace tokenrelay::surface
