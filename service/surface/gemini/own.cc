#include "service/surface/gemini/own.h"

#include "service/surface/gemini/members.h"
#include "service/surface/gemini/opaque.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

bool has_foreign_signature(const Value& contents) {
  if (!contents.is_array()) return false;
  for (const Value& turn : contents) {
    const auto parts = turn.find("parts");
    if (!turn.is_object() || parts == turn.end() || !parts->is_array()) continue;
    for (const Value& part : *parts) {
      if (foreign_opaque_of(json::word(camel_members(part), "thoughtSignature"))) return true;
    }
  }
  return false;
}

}  // namespace

bool has_foreign_contents(const Value& body) {
  const auto contents = body.find("contents");
  return contents != body.end() && has_foreign_signature(*contents);
}

}  // namespace tokenrelay::surface
