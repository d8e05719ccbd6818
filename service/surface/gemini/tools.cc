#include "service/surface/gemini/tools.h"

#include <algorithm>
#include <string>
#include <utility>

#include "service/json/blank.h"
#include "service/surface/gemini/members.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Read = tl::expected<void, Error>;

constexpr const char* foreign = "is not supported by this model's upstream";

tl::expected<Value, Error> function_of(const Value& given, const std::string& place) {
  if (json::word(given, "name").empty()) return refuse(place + ".name", "is missing");
  Value function = Value::object();
  for (const auto& [name, value] : given.items()) {
    // What a function answers is told by its answer; google-genai describes it for every Python function.
    const bool of_answer = name == "response" || name == "responseJsonSchema";
    if (says_nothing(value) || of_answer || (name == "behavior" && value == "BLOCKING")) {
      continue;
    } else if (name == "name" || name == "description") {
      function[name] = value;
    } else if (name == "parametersJsonSchema") {
      function["parameters"] = value;
    } else if (name == "parameters") {
      function["parameters"] = json_schema_of(value);
    } else {
      return refuse(place + "." + name, "is not supported by the relay");
    }
  }
  return Value{{"type", "function"}, {"function", std::move(function)}};
}

Read read_functions(const Value& given, const std::string& place, Value& functions) {
  if (!given.is_array()) return refuse(place, "must be an array");
  for (size_t i = 0; i < given.size(); ++i) {
    auto function = function_of(camel_members(given[i]), place + "[" + std::to_string(i) + "]");
    if (!function) return tl::make_unexpected(function.error());
    functions.push_back(std::move(*function));
  }
  return {};
}

Read read_tool_list(const Value& tools, Value& functions, Value* own) {
  const Value list = tools.is_object() ? Value::array({tools}) : tools;
  if (!list.is_array()) return refuse("tools", "must be an array");
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string place = "tools[" + std::to_string(i) + "]";
    const Value tool = camel_members(list[i]);
    for (const auto& [name, value] : tool.items()) {
      if (name == "functionDeclarations") {
        if (const Read read = read_functions(value, place + "." + name, functions); !read) return read;
      } else if (own == nullptr) {
        return refuse(place + "." + name, foreign);
      } else {
        (*own)["tools"].push_back(Value{{name, value}});
      }
    }
  }
  return {};
}

// Keeps only the functions that may be called: this has the same effect, and every upstream supports it.
Read keep_allowed(const Value& allowed, const std::string& place, Value& functions) {
  Value kept = Value::array();
  for (size_t i = 0; i < allowed.size(); ++i) {
    const auto found = std::find_if(functions.begin(), functions.end(),
                                    [&](const Value& tool) { return tool["function"]["name"] == allowed[i]; });
    if (found == functions.end())
      return refuse(place + "[" + std::to_string(i) + "]", "must be the name of a declared function");
    kept.push_back(*found);
  }
  if (!kept.empty()) functions = std::move(kept);
  return {};
}

Read read_calling(const Value& given, Value& functions, Value& parameters) {
  const std::string place = "toolConfig.functionCallingConfig";
  const std::string mode = json::word(given, "mode");
  const Value allowed = given.contains("allowedFunctionNames") ? given["allowedFunctionNames"] : Value::array();
  if (!allowed.is_array()) return refuse(place + ".allowedFunctionNames", "must be an array");
  for (const auto& [name, value] : given.items()) {
    if (name != "mode" && name != "allowedFunctionNames" && !json::is_blank(value))
      return refuse(place + "." + name, "is not supported by the relay");
  }
  if (const Read read = keep_allowed(allowed, place + ".allowedFunctionNames", functions); !read) return read;
  if (mode == "ANY" && allowed.size() == 1) {
    parameters["tool_choice"] = Value{{"type", "function"}, {"function", Value{{"name", allowed[0]}}}};
    return {};
  }
  if (mode == "ANY") {
    parameters["tool_choice"] = "required";
  } else if (mode == "NONE") {
    parameters["tool_choice"] = "none";
  } else if (mode == "AUTO" || mode == "VALIDATED") {
    parameters["tool_choice"] = "auto";
    for (auto& tool : functions) {
      if (mode == "VALIDATED") tool["function"]["strict"] = true;
    }
  } else if (!says_nothing(mode)) {
    return refuse(place + ".mode", "must be AUTO, ANY, NONE or VALIDATED");
  }
  return {};
}

}  // namespace

Read read_gemini_tools(const Value& body, Value& parameters, Value* own) {
  Value functions = Value::array();
  if (const auto tools = body.find("tools"); tools != body.end()) {
    if (const Read read = read_tool_list(*tools, functions, own); !read) return read;
  }
  const Value config = body.contains("toolConfig") ? camel_members(body["toolConfig"]) : Value::object();
  for (const auto& [name, value] : config.items()) {
    if (says_nothing(value)) continue;
    if (name == "functionCallingConfig") {
      if (const Read read = read_calling(camel_members(value), functions, parameters); !read) return read;
    } else if (own == nullptr) {
      if (!json::is_blank(value)) return refuse("toolConfig." + name, foreign);
    } else {
      (*own)["toolConfig"][name] = value;
    }
  }
  if (functions.empty()) {
    parameters.erase("tool_choice");
  } else {
    parameters["tools"] = std::move(functions);
  }
  return {};
}

}  // namespace tokenrelay::surface
