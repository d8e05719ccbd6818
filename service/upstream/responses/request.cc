#include "service/upstream/responses/request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "service/json/write.h"

namespace tokenrelay::upstream {
namespace {

using json::Value;
using Done = tl::expected<void, UnsupportedField>;

// Parameters that have the same name in Responses.
constexpr std::array<std::string_view, 12> same = {"temperature",
                                                   "top_p",
                                                   "parallel_tool_calls",
                                                   "user",
                                                   "metadata",
                                                   "service_tier",
                                                   "store",
                                                   "top_logprobs",
                                                   "prompt_cache_retention",
                                                   "prompt_cache_key",
                                                   "safety_identifier",
                                                   "prompt_cache_options"};

// Tools whose calls are not function calls: the relay could not pass them to the client.
constexpr std::array<std::string_view, 6> foreign_tools = {"computer", "computer_use_preview", "local_shell",
                                                           "shell",    "apply_patch",          "tool_search"};

template <class List>
bool is_in(const List& list, std::string_view name) {
  return std::find(list.begin(), list.end(), name) != list.end();
}

// Chat Completions' {"type":"custom","custom":{…}} is flat in Responses; so is its grammar.
Value custom_tool(const Value& custom) {
  Value out = {{"type", "custom"}};
  out.update(custom);
  if (out.contains("format") && out["format"].is_object() && out["format"].contains("grammar")) {
    Value format = {{"type", "grammar"}};
    if (out["format"]["grammar"].is_object()) format.update(out["format"]["grammar"]);
    out["format"] = std::move(format);
  }
  return out;
}

tl::expected<Value, UnsupportedField> tool_of(const PromptTool& tool, size_t number) {
  const std::string place = "parameters.tools[" + std::to_string(number) + "]";
  if (!tool.is_function) {
    const bool typed = tool.raw.is_object() && tool.raw.contains("type") && tool.raw["type"].is_string();
    if (!typed || is_in(foreign_tools, tool.raw["type"].get<std::string>())) {
      return refuse(place, "tools of this type are not supported by the relay");
    }
    return tool.raw.contains("custom") && tool.raw["custom"].is_object() ? custom_tool(tool.raw["custom"]) : tool.raw;
  }
  if (tool.name.empty()) {  // already in the format of Responses
    if (tool.raw.contains("name")) return tool.raw;
    return refuse(place + ".function.name", "is missing");
  }
  Value out = {{"type", "function"}, {"name", tool.name}};
  if (!tool.description.empty()) out["description"] = tool.description;
  out["parameters"] =
      tool.parameters.is_object() ? tool.parameters : Value{{"type", "object"}, {"properties", Value::object()}};
  out["strict"] = tool.strict.value_or(false);  // the default of Chat Completions; that of Responses is true
  return out;
}

Done add_tools(const Prompt& prompt, Value& body) {
  for (size_t i = 0; i < prompt.tools.size(); ++i) {
    auto tool = tool_of(prompt.tools[i], i);
    if (!tool) return tl::make_unexpected(tool.error());
    body["tools"].push_back(std::move(*tool));
  }
  switch (prompt.tool_choice.kind) {
    case ToolChoice::Kind::unset:
      break;
    case ToolChoice::Kind::automatic:
      body["tool_choice"] = "auto";
      break;
    case ToolChoice::Kind::none:
      body["tool_choice"] = "none";
      break;
    case ToolChoice::Kind::required:
      body["tool_choice"] = "required";
      break;
    case ToolChoice::Kind::named:
      body["tool_choice"] = {{"type", "function"}, {"name", prompt.tool_choice.name}};
      break;
  }
  return {};
}

Done add_format(const Value& format, Value& body) {
  const Value type = format.is_object() ? format.value("type", Value()) : Value();
  if (type == "text" || type == "json_object") {
    body["text"]["format"] = {{"type", type}};
    return {};
  }
  const bool has_schema = type == "json_schema" && format.contains("json_schema") && format["json_schema"].is_object();
  if (!has_schema) return refuse("parameters.response_format", "is not supported by this upstream");
  Value flat = {{"type", "json_schema"}};
  flat.update(format["json_schema"]);
  body["text"]["format"] = std::move(flat);
  return {};
}

Done add_parameter(const std::string& name, const Value& value, Value& body) {
  if (name == "x_responses") return {};
  if (is_in(same, name)) {
    body[name] = value;
  } else if (name == "reasoning_effort") {
    body["reasoning"]["effort"] = value;
  } else if (name == "verbosity") {
    body["text"]["verbosity"] = value;
  } else if (name == "response_format") {
    return add_format(value, body);
  } else if (name == "logprobs" && value == true) {
    body["include"].push_back("message.output_text.logprobs");
  } else if (!changes_nothing(name, value)) {
    return refuse("parameters." + name, "is not supported by this upstream");
  }
  return {};
}

Done add_own(const Value& own, Value& body) {
  const std::string place = "parameters.x_responses";
  if (!own.is_object()) return refuse(place, "must be an object");
  for (const auto& [name, value] : own.items()) {
    const bool nothing = name == "headers" && value.is_object() && value.empty();
    if (!nothing && (name != "body" || !value.is_object()))
      return refuse(place + "." + name, "is not supported: only an object `body` is sent to the upstream");
  }
  const Value members = own.value("body", Value::object());
  for (const auto& [name, value] : members.items()) {
    if (name == "model" || name == "input" || name == "stream" || name == "background") {
      return refuse(place + ".body." + name, "is set by the relay");
    }
    Value& member = body[name];
    if ((name == "tools" || name == "include") && member.is_array() && value.is_array()) {
      for (const Value& one : value) member.push_back(one);
    } else if ((name == "text" || name == "reasoning") && member.is_object() && value.is_object()) {
      member.update(value);
    } else {
      member = value;
    }
  }
  return {};
}

Done translate(const Prompt& prompt, Value& body) {
  auto input = responses_input(prompt);
  if (!input) return tl::make_unexpected(input.error());
  if (!input->instructions.empty()) body["instructions"] = std::move(input->instructions);
  body["input"] = std::move(input->items);
  if (!prompt.stop.empty()) return refuse("parameters.stop", "is not supported by this upstream");
  if (prompt.max_tokens) body["max_output_tokens"] = *prompt.max_tokens;
  if (Done added = add_tools(prompt, body); !added) return added;
  for (const auto& [name, value] : prompt.others.items()) {
    if (Done added = add_parameter(name, value, body); !added) return added;
  }
  return add_own(prompt.others.value("x_responses", Value::object()), body);
}

}  // namespace

tl::expected<ResponsesRequest, UnsupportedField> responses_request(const ModelRequest& request, bool background) {
  const auto prompt = read_prompt(request);
  if (!prompt) return tl::make_unexpected(prompt.error());
  Value body = {{"model", request.model}};
  if (const Done done = translate(*prompt, body); !done) return tl::make_unexpected(done.error());
  body["stream"] = true;
  const bool stored = !body.contains("store") || body["store"] != false;
  if (background && stored) {
    body["background"] = true;
    body["store"] = true;
  }
  return ResponsesRequest{json::dump(body), background && stored};
}

// Whether the answer goes on without a reader is the relay's matter; only one that the provider may keep outlives a
// connection there.
ResponsesRequest responses_own_request(const OwnRequest& own, std::string_view model, bool background) {
  std::string name;
  json::append_string(name, model);
  const bool kept = background && member_of(own.body, "store") != "false";
  return {with_members(own.body, {{"model", name},
                                  {"stream", "true"},
                                  {"background", kept ? "true" : ""},
                                  {"store", kept ? "true" : member_of(own.body, "store")}}),
          kept};
}

}  // namespace tokenrelay::upstream
