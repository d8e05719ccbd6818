#include "service/upstream/anthropic/request.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "service/upstream/anthropic/turns.h"
#include "service/upstream/http_request.h"
#include "service/upstream/own_request.h"
#include "service/upstream/prompt.h"

namespace tokenrelay::upstream {
namespace {

using json::Value;
using Done = tl::expected<void, UnsupportedField>;

constexpr uint64_t default_max_tokens = 4096;
constexpr uint64_t least_budget = 1024;  // the API's minimum

// A tool in the API's own format is passed on unchanged.
tl::expected<Value, UnsupportedField> tool_of(const PromptTool& tool, size_t number) {
  if (!tool.is_function) {
    const bool native = tool.raw.is_object() && tool.raw.contains("type") && tool.raw.contains("name");
    if (native) return tool.raw;
    return refuse("parameters.tools[" + std::to_string(number) + "]",
                  "tools of this type are not supported by this upstream");
  }
  Value out = {{"name", tool.name}};
  if (!tool.description.empty()) out["description"] = tool.description;
  out["input_schema"] =
      tool.parameters.is_object() ? tool.parameters : Value{{"type", "object"}, {"properties", Value::object()}};
  if (!out["input_schema"].contains("type")) out["input_schema"]["type"] = "object";
  if (tool.strict == true) out["strict"] = true;
  if (tool.raw.contains("cache_control")) out["cache_control"] = tool.raw["cache_control"];
  return out;
}

Done add_tools(const Prompt& prompt, Value& body) {
  for (size_t i = 0; i < prompt.tools.size(); ++i) {
    auto tool = tool_of(prompt.tools[i], i);
    if (!tool) return tl::make_unexpected(tool.error());
    body["tools"].push_back(std::move(*tool));
  }
  const auto choose = [&body](const char* type) { body["tool_choice"] = {{"type", type}}; };
  switch (prompt.tool_choice.kind) {
    case ToolChoice::Kind::unset:
      break;
    case ToolChoice::Kind::automatic:  // without tools the API refuses even these two
      if (!prompt.tools.empty()) choose("auto");
      break;
    case ToolChoice::Kind::none:
      if (!prompt.tools.empty()) choose("none");
      break;
    case ToolChoice::Kind::required:
      choose("any");
      break;
    case ToolChoice::Kind::named:
      choose("tool");
      body["tool_choice"]["name"] = prompt.tool_choice.name;
      break;
  }
  return {};
}

// Budgets by effort. If the client limits max_tokens, at least a fifth of it is left for the answer.
Done add_thinking(const Value& effort, Value& body, bool has_limit) {
  static constexpr std::array<std::pair<std::string_view, uint64_t>, 7> budgets = {{{"none", 0},
                                                                                    {"minimal", 1024},
                                                                                    {"low", 2048},
                                                                                    {"medium", 8192},
                                                                                    {"high", 16384},
                                                                                    {"xhigh", 32768},
                                                                                    {"max", 32768}}};
  const auto found =
      std::find_if(budgets.begin(), budgets.end(), [&](const auto& known) { return effort == known.first; });
  if (found == budgets.end()) return refuse("parameters.reasoning_effort", "is not supported by this upstream");
  uint64_t budget = found->second;
  if (budget == 0) return {};
  if (has_limit) {
    const uint64_t limit = body["max_tokens"];
    if (limit <= least_budget) {
      return refuse("parameters.reasoning_effort", "needs max_tokens above 1024 at this upstream");
    }
    budget = std::min(budget, std::max(least_budget, limit / 5 * 4));
  } else {
    body["max_tokens"] = default_max_tokens + budget;
  }
  body["thinking"] = {{"type", "enabled"}, {"budget_tokens", budget}};
  return {};
}

Done add_format(const Value& format, Value& body) {
  const Value type = format.is_object() ? format.value("type", Value()) : Value();
  if (type == "text") return {};
  const bool has_schema = type == "json_schema" && format.contains("json_schema") &&
                          format["json_schema"].is_object() && format["json_schema"].contains("schema");
  if (!has_schema)
    return refuse("parameters.response_format", "only json_schema with a schema is supported by this upstream");
  body["output_config"]["format"] = {{"type", "json_schema"}, {"schema", format["json_schema"]["schema"]}};
  return {};
}

void forbid_parallel_tools(Value& body) {
  if (!body.contains("tools")) return;
  if (!body.contains("tool_choice")) body["tool_choice"] = {{"type", "auto"}};
  if (body["tool_choice"]["type"] != "none") body["tool_choice"]["disable_parallel_tool_use"] = true;
}

Done add_parameter(const std::string& name, const Value& value, Value& body, const Prompt& prompt) {
  if (name == "x_anthropic") return {};
  if (name == "temperature" || name == "top_p" || name == "top_k") {
    body[name] = value;
  } else if (name == "user" || name == "safety_identifier") {
    if (name == "user" || !body.contains("metadata")) body["metadata"] = {{"user_id", value}};
  } else if (name == "reasoning_effort") {
    return add_thinking(value, body, prompt.max_tokens.has_value());
  } else if (name == "response_format") {
    return add_format(value, body);
  } else if (name == "parallel_tool_calls" && value == false) {
    forbid_parallel_tools(body);
  } else if (!changes_nothing(name, value)) {
    return refuse("parameters." + name, "is not supported by this upstream");
  }
  return {};
}

Done check_headers(const Value& headers) {
  const std::string place = "parameters.x_anthropic.headers";
  if (!headers.is_object()) return refuse(place, "must be an object");
  for (const auto& [name, value] : headers.items()) {
    if (name != "anthropic-version" && name != "anthropic-beta")
      return refuse(place + "." + name, "is not supported: use anthropic-version and anthropic-beta only");
    const bool one_line =
        value.is_string() && value.get_ref<const std::string&>().find_first_of("\r\n") == std::string::npos;
    if (!one_line) return refuse(place + "." + name, "must be a string without line breaks");
  }
  return {};
}

Done add_own(const Value& own, Value& body) {
  const std::string place = "parameters.x_anthropic";
  if (!own.is_object()) return refuse(place, "must be an object");
  for (const auto& [name, value] : own.items()) {
    if (name == "headers") {
      if (const Done checked = check_headers(value); !checked) return checked;
    } else if (name != "body" || !value.is_object()) {
      return refuse(place + "." + name, "is not supported: only the objects `body` and `headers` are");
    }
  }
  const Value members = own.value("body", Value::object());
  for (const auto& [name, value] : members.items()) {
    if (name == "model" || name == "messages" || name == "stream") {
      return refuse(place + ".body." + name, "is set by the relay");
    }
    Value& member = body[name];
    if (name == "tools" && member.is_array() && value.is_array()) {
      for (const Value& tool : value) member.push_back(tool);
    } else if ((name == "metadata" || name == "output_config") && member.is_object() && value.is_object()) {
      member.update(value);
    } else {
      member = value;
    }
  }
  return {};
}

Done add_parameters(const Prompt& prompt, Value& body) {
  const Value own = prompt.others.value("x_anthropic", Value::object());
  const bool own_thinking =
      own.is_object() && own.contains("body") && own["body"].is_object() && own["body"].contains("thinking");
  for (const auto& [name, value] : prompt.others.items()) {
    if (name == "reasoning_effort" && own_thinking) continue;  // x_anthropic is more exact
    if (const Done added = add_parameter(name, value, body, prompt); !added) return added;
  }
  return add_own(own, body);
}

std::string own_header(const ModelRequest& request, const char* name) {
  const auto parameters = json::parse(request.parameters, json::deepest);
  const auto pointer = Value::json_pointer(std::string("/x_anthropic/headers/") + name);
  if (!parameters || !parameters->contains(pointer) || !(*parameters)[pointer].is_string()) return {};
  return (*parameters)[pointer].get<std::string>();
}

}  // namespace

tl::expected<std::string, UnsupportedField> anthropic_body(const ModelRequest& request) {
  if (const OwnRequest* own = request.own_of("anthropic")) {
    return with_members(own->body, {{"model", json::dump(request.model)}, {"stream", "true"}});
  }
  const auto prompt = read_prompt(request);
  if (!prompt) return tl::make_unexpected(prompt.error());
  auto turns = anthropic_turns(*prompt);
  if (!turns) return tl::make_unexpected(turns.error());
  Value body = {{"model", request.model}, {"max_tokens", prompt->max_tokens.value_or(default_max_tokens)}};
  if (!turns->system.empty()) body["system"] = std::move(turns->system);
  body["messages"] = std::move(turns->messages);
  if (!prompt->stop.empty()) body["stop_sequences"] = prompt->stop;
  if (const Done added = add_tools(*prompt, body); !added) return tl::make_unexpected(added.error());
  if (const Done added = add_parameters(*prompt, body); !added) return tl::make_unexpected(added.error());
  body["stream"] = true;
  return json::dump(body);
}

std::vector<std::string> anthropic_headers(const ModelRequest& request, const ProviderOptions& options) {
  const std::string version = own_header(request, "anthropic-version");
  return request_headers(request.request_id, options,
                         {{"x-api-key", options.api_key},
                          {"anthropic-version", version.empty() ? "2023-06-01" : version},
                          {"anthropic-beta", own_header(request, "anthropic-beta")}},
                         request.own_of("anthropic"));
}

std::string anthropic_url(const std::string& base_url) {
  std::string url = joined_url(base_url, "");
  if (url.ends_with("/v1")) url.resize(url.size() - 3);
  return url + "/v1/messages";
}

}  // namespace tokenrelay::upstream
