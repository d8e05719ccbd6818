#include "service/surface/responses/tools.h"

#include "service/surface/responses/parts.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Read = tl::expected<void, Error>;

Value function_of(const Value& tool) {
  Value function = Value::object();
  for (const auto& [name, value] : tool.items()) {
    if (name != "type" && !value.is_null()) function[name] = value;
  }
  return Value{{"type", "function"}, {"function", std::move(function)}};
}

}  // namespace

Read read_responses_tools(const Value& tools, bool same_protocol, Value& parameters, Value& own) {
  if (!tools.is_array()) return refuse("tools", "must be an array");
  Value functions = Value::array();
  for (size_t i = 0; i < tools.size(); ++i) {
    const std::string place = "tools[" + std::to_string(i) + "]";
    const std::string type = json::word(tools[i], "type");
    if (type != "function") {
      if (!same_protocol)
        return refuse(place + ".type", "must be function: this model's upstream does not support other tools");
      own["tools"].push_back(tools[i]);
    } else if (json::word(tools[i], "name").empty()) {
      return refuse(place + ".name", "must be a string");
    } else {
      functions.push_back(function_of(tools[i]));
    }
  }
  if (!functions.empty()) parameters["tools"] = std::move(functions);
  return {};
}

Read read_responses_tool_choice(const Value& choice, bool same_protocol, Value& parameters, Value& own) {
  const std::string name = json::word(choice, "name");
  if (choice.is_string()) {
    parameters["tool_choice"] = choice;
  } else if (json::word(choice, "type") == "function" && !name.empty()) {
    parameters["tool_choice"] = Value{{"type", "function"}, {"function", Value{{"name", name}}}};
  } else if (!same_protocol) {
    return refuse("tool_choice", "is not supported by this model's upstream");
  } else {
    own["tool_choice"] = choice;
  }
  return {};
}

}  // namespace tokenrelay::surface
