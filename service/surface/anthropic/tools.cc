#include "service/surface/anthropic/tools.h"

#include <algorithm>
#include <array>
#include <utility>

#include "service/json/blank.h"
#include "service/surface/anthropic/blocks.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Checked = tl::expected<void, Error>;

// Members of a tool that every dialect supports, or that do not change the answer.
constexpr std::array<std::string_view, 7> common = {"type",   "name",          "description",          "input_schema",
                                                    "strict", "cache_control", "eager_input_streaming"};

// The first member that only Anthropic's models support. The model itself is the caller unless others are allowed.
std::string special_member(const Value& tool) {
  for (const auto& [name, value] : tool.items()) {
    if (name == "allowed_callers" && value == Value::array({"direct"})) continue;
    if (!json::is_blank(value) && std::find(common.begin(), common.end(), name) == common.end()) return name;
  }
  return {};
}

Value function_of(const Value& tool, bool at_home) {
  Value function = {{"name", json::word(tool, "name")}};
  if (const auto description = json::word(tool, "description"); !description.empty()) {
    function["description"] = description;
  }
  if (tool.contains("input_schema")) function["parameters"] = tool["input_schema"];
  if (tool.contains("strict") && tool["strict"].is_boolean()) function["strict"] = tool["strict"];
  Value out = {{"type", "function"}, {"function", std::move(function)}};
  if (at_home && tool.contains("cache_control")) out["cache_control"] = tool["cache_control"];
  return out;
}

}  // namespace

Checked read_anthropic_tools(const Value& tools, std::string_view kind, Value& parameters, Value& own) {
  if (!tools.is_array()) return refuse("tools", "must be an array");
  for (size_t i = 0; i < tools.size(); ++i) {
    const Value& tool = tools[i];
    const std::string place = "tools[" + std::to_string(i) + "]";
    if (!tool.is_object()) return refuse(place, "must be an object");
    const std::string type = json::word(tool, "type");
    const bool custom = type.empty() || type == "custom";
    const std::string special = special_member(tool);
    if (custom && (special.empty() || kind == "demo")) {
      parameters["tools"].push_back(function_of(tool, kind == "anthropic"));
    } else if (kind == "anthropic") {
      own["tools"].push_back(tool);
    } else if (custom) {
      return refuse(place + "." + special, "is not supported by this model's upstream");
    } else {
      return refuse(place, "tools of type " + type.substr(0, 64) + " are supported by Anthropic's upstreams only");
    }
  }
  return {};
}

Checked read_anthropic_tool_choice(const Value& choice, Value& parameters) {
  const std::string type = json::word(choice, "type");
  if (type == "auto" || type == "none") {
    parameters["tool_choice"] = type;
  } else if (type == "any") {
    parameters["tool_choice"] = "required";
  } else if (type == "tool" && !json::word(choice, "name").empty()) {
    parameters["tool_choice"] = {{"type", "function"}, {"function", Value{{"name", json::word(choice, "name")}}}};
  } else {
    return refuse("tool_choice", "must be of type auto, any, none, or tool with a name");
  }
  const bool one_at_a_time =
      choice.contains("disable_parallel_tool_use") && choice["disable_parallel_tool_use"] == true;
  if (one_at_a_time && type != "none") parameters["parallel_tool_calls"] = false;
  return {};
}

}  // namespace tokenrelay::surface
