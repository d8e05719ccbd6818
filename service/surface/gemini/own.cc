#include "service/surface/gemini/own.h"

#include <algorithm>

#include "service/json/blank.h"
#include "service/surface/gemini/members.h"
#include "service/surface/gemini/opaque.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

Value inner(const Value& object, const char* name) {
  const auto found = object.find(name);
  return found == object.end() ? Value::object() : camel_members(*found);
}

bool asks(const Value& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && !json::is_blank(*found);
}

std::optional<Error> refused_generation(const Value& config) {
  const std::string place = "generationConfig.";
  const auto candidates = config.find("candidateCount");
  if (candidates != config.end() && *candidates != 1 && *candidates != 0) {
    return invalid(place + "candidateCount", "must be 1: the relay supports one candidate only");
  }
  for (const char* name : {"responseLogprobs", "logprobs"}) {
    if (asks(config, name)) return invalid(place + name, "is not supported by the relay");
  }
  const auto modalities = config.find("responseModalities");
  const bool more = modalities != config.end() && modalities->is_array() &&
                    std::any_of(modalities->begin(), modalities->end(), [](const Value& one) { return one != "TEXT"; });
  if (more) return invalid(place + "responseModalities", "only TEXT is supported by the relay");
  return std::nullopt;
}

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

OwnCheck check_own_contents(const Value& body) {
  OwnCheck out;
  out.refused = refused_generation(inner(body, "generationConfig"));
  const Value calling = inner(inner(body, "toolConfig"), "functionCallingConfig");
  if (!out.refused && asks(calling, "streamFunctionCallArguments")) {
    out.refused =
        invalid("toolConfig.functionCallingConfig.streamFunctionCallArguments", "is not supported by the relay");
  }
  if (const auto contents = body.find("contents"); contents != body.end()) {
    out.has_foreign_turns = has_foreign_signature(*contents);
  }
  return out;
}

}  // namespace tokenrelay::surface
