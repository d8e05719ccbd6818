#include "service/upstream/gemini/own.h"

#include <algorithm>
#include <string>
#include <utility>

namespace tokenrelay::upstream {
namespace {

using json::Value;
using Done = tl::expected<void, UnsupportedField>;

constexpr const char* place = "parameters.x_gemini";

Done check_generation(const Value& config) {
  const std::string field = std::string(place) + ".body.generationConfig";
  if (!config.is_object()) return refuse(field, "must be an object");
  const auto candidates = config.find("candidateCount");
  if (candidates != config.end() && *candidates != 1) return refuse(field + ".candidateCount", "must be 1");
  const auto logprobs = config.find("responseLogprobs");
  if (logprobs != config.end() && *logprobs != false)
    return refuse(field + ".responseLogprobs", "is not supported by the relay");
  const auto modalities = config.find("responseModalities");
  if (modalities == config.end()) return {};
  const bool text_only = modalities->is_array() && std::all_of(modalities->begin(), modalities->end(),
                                                               [](const Value& said) { return said == "TEXT"; });
  if (!text_only) return refuse(field + ".responseModalities", "only TEXT is supported by the relay");
  return {};
}

Done check_tools(const Value& config) {
  const std::string field = std::string(place) + ".body.toolConfig";
  if (!config.is_object()) return refuse(field, "must be an object");
  const auto calling = config.find("functionCallingConfig");
  if (calling == config.end() || !calling->is_object()) return {};
  const auto streamed = calling->find("streamFunctionCallArguments");
  if (streamed == calling->end() || *streamed == false) return {};
  return refuse(field + ".functionCallingConfig.streamFunctionCallArguments", "is not supported by the relay");
}

Done add_member(const std::string& name, const Value& value, Value& body) {
  if (name == "contents" || name == "model") {
    return refuse(std::string(place) + ".body." + name, "is set by the relay");
  }
  if (name == "generationConfig") {
    if (const Done checked = check_generation(value); !checked) return checked;
  } else if (name == "toolConfig") {
    if (const Done checked = check_tools(value); !checked) return checked;
  }
  Value& member = body[name];
  if (name == "tools" && member.is_array() && value.is_array()) {
    for (const Value& tool : value) member.push_back(tool);
  } else if ((name == "generationConfig" || name == "toolConfig") && member.is_object()) {
    member.update(value, true);  // nested objects are completed too
  } else {
    member = value;
  }
  return {};
}

}  // namespace

Done add_gemini_own(const Value& own, Value& body) {
  if (!own.is_object()) return refuse(place, "must be an object");
  for (const auto& [name, value] : own.items()) {
    if (name != "body" || !value.is_object()) {
      return refuse(std::string(place) + "." + name, "is not supported: only an object `body` is sent to the upstream");
    }
    for (const auto& [member, said] : value.items()) {
      if (const Done added = add_member(member, said, body); !added) return added;
    }
  }
  return {};
}

}  // namespace tokenrelay::upstream
