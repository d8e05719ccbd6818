#include "service/upstream/gemini/request.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

#include "service/upstream/gemini/own.h"
#include "service/upstream/gemini/turns.h"
#include "service/upstream/http_request.h"
#include "service/upstream/own_request.h"
#include "service/upstream/prompt.h"

namespace tokenrelay::upstream {
namespace {

using json::Value;
using Done = tl::expected<void, UnsupportedField>;

// Schemas are sent as parametersJsonSchema: the older `parameters` takes only a part of OpenAPI's schemas, and refuses
// $ref, const and others.
Done add_tools(const Prompt& prompt, Value& body) {
  Value declarations = Value::array();
  for (size_t i = 0; i < prompt.tools.size(); ++i) {
    const PromptTool& tool = prompt.tools[i];
    if (!tool.is_function) {
      return refuse("parameters.tools[" + std::to_string(i) + "]",
                    "tools of this type are not supported by this upstream");
    }
    Value declared = {{"name", tool.name}};
    if (!tool.description.empty()) declared["description"] = tool.description;
    if (tool.parameters.is_object()) declared["parametersJsonSchema"] = tool.parameters;
    declarations.push_back(std::move(declared));
  }
  if (!declarations.empty()) body["tools"] = Value::array({{{"functionDeclarations", std::move(declarations)}}});
  return {};
}

// ANY always follows the schemas; VALIDATED is AUTO that follows them.
void add_tool_choice(const Prompt& prompt, Value& body) {
  const bool strict =
      std::any_of(prompt.tools.begin(), prompt.tools.end(), [](const auto& tool) { return tool.strict == true; });
  Value config;
  switch (prompt.tool_choice.kind) {
    case ToolChoice::Kind::unset:
      if (!strict) return;
      [[fallthrough]];
    case ToolChoice::Kind::automatic:
      if (prompt.tools.empty()) return;  // the API refuses every mode then
      config["mode"] = strict ? "VALIDATED" : "AUTO";
      break;
    case ToolChoice::Kind::none:
      if (prompt.tools.empty()) return;
      config["mode"] = "NONE";
      break;
    case ToolChoice::Kind::required:
      config["mode"] = "ANY";
      break;
    case ToolChoice::Kind::named:
      config = {{"mode", "ANY"}, {"allowedFunctionNames", {prompt.tool_choice.name}}};
      break;
  }
  body["toolConfig"]["functionCallingConfig"] = std::move(config);
}

// Levels for Gemini 3, budgets for older models, as Google's own compatibility layer maps them.
Done add_thinking(const Value& effort, Value& config, std::string_view model) {
  struct Effort {
    std::string_view name;
    const char* level;
    int budget;
  };
  static constexpr std::array<Effort, 7> efforts = {{{"none", "", 0},
                                                     {"minimal", "minimal", 512},
                                                     {"low", "low", 1024},
                                                     {"medium", "medium", 8192},
                                                     {"high", "high", 24576},
                                                     {"xhigh", "high", 24576},
                                                     {"max", "high", 24576}}};
  const std::string place = "parameters.reasoning_effort";
  const auto found =
      std::find_if(efforts.begin(), efforts.end(), [&](const Effort& known) { return effort == known.name; });
  if (found == efforts.end()) return refuse(place, "is not supported by this upstream");
  Value& thinking = config["thinkingConfig"];
  if (!is_gemini_3(model)) {
    thinking = {{"thinkingBudget", found->budget}};
  } else if (effort == "none") {
    return refuse(place, "cannot be \"none\": this model always thinks");
  } else {
    thinking = {{"thinkingLevel", found->level}};
  }
  if (effort != "none") thinking["includeThoughts"] = true;
  return {};
}

Done add_format(const Value& format, Value& config) {
  const Value type = format.is_object() ? format.value("type", Value()) : Value();
  if (type == "text") return {};
  if (type != "json_object" && type != "json_schema") {
    return refuse("parameters.response_format", "is not supported by this upstream");
  }
  config["responseMimeType"] = "application/json";
  if (type == "json_object") return {};
  const bool has_schema =
      format.contains("json_schema") && format["json_schema"].is_object() && format["json_schema"].contains("schema");
  if (!has_schema) return refuse("parameters.response_format.json_schema.schema", "is missing");
  config["responseJsonSchema"] = format["json_schema"]["schema"];
  return {};
}

Done add_parameter(const std::string& name, const Value& value, Value& config, const ModelRequest& request) {
  static constexpr std::array<std::pair<std::string_view, const char*>, 6> same = {
      {{"temperature", "temperature"},
       {"top_p", "topP"},
       {"top_k", "topK"},
       {"seed", "seed"},
       {"presence_penalty", "presencePenalty"},
       {"frequency_penalty", "frequencyPenalty"}}};
  for (const auto& [theirs, ours] : same) {
    if (name != theirs) continue;
    config[ours] = value;
    return {};
  }
  if (name == "x_gemini") return {};
  if (name == "reasoning_effort") return add_thinking(value, config, request.model);
  if (name == "response_format") return add_format(value, config);
  if (changes_nothing(name, value)) return {};
  return refuse("parameters." + name, "is not supported by this upstream");
}

tl::expected<Value, UnsupportedField> generation_config(const Prompt& prompt, const ModelRequest& request) {
  Value config = Value::object();
  if (prompt.max_tokens) config["maxOutputTokens"] = *prompt.max_tokens;
  if (!prompt.stop.empty()) config["stopSequences"] = prompt.stop;
  for (const auto& [name, value] : prompt.others.items()) {
    if (const Done added = add_parameter(name, value, config, request); !added) {
      return tl::make_unexpected(added.error());
    }
  }
  return config;
}

// The name becomes part of a URL's path, and must not lead to another resource.
bool is_model_name(std::string_view model) {
  if (model.empty() || model.front() == '/') return false;
  const std::string path = "/" + std::string(model) + "/";
  return path.find("/../") == path.npos && path.find("/./") == path.npos;
}

std::string encoded(std::string_view path) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char c : path) {
    if (c < 0x80 &&
        (std::isalnum(c) || std::string_view("-._~/@").find(static_cast<char>(c)) != std::string_view::npos)) {
      out += static_cast<char>(c);
    } else {
      out += {'%', digits[c >> 4], digits[c & 15]};
    }
  }
  return out;
}

}  // namespace

tl::expected<std::string, UnsupportedField> gemini_body(const ModelRequest& request) {
  if (!is_model_name(request.model)) return refuse("model", "is not a valid model name for this upstream");
  // The model is in the URL.
  if (const OwnRequest* own = request.own_of("gemini")) return with_members(own->body, {{"model", ""}});
  const auto prompt = read_prompt(request);
  if (!prompt) return tl::make_unexpected(prompt.error());
  auto contents = gemini_contents(*prompt, request.model);
  if (!contents) return tl::make_unexpected(contents.error());
  Value body = Value::object();
  if (!contents->system.empty()) body["systemInstruction"] = {{"parts", std::move(contents->system)}};
  body["contents"] = std::move(contents->contents);
  if (const Done added = add_tools(*prompt, body); !added) return tl::make_unexpected(added.error());
  add_tool_choice(*prompt, body);
  auto config = generation_config(*prompt, request);
  if (!config) return tl::make_unexpected(config.error());
  if (!config->empty()) body["generationConfig"] = std::move(*config);
  if (const auto own = prompt->others.find("x_gemini"); own != prompt->others.end()) {
    if (const Done added = add_gemini_own(*own, body); !added) return tl::make_unexpected(added.error());
  }
  return json::dump(body);
}

std::vector<std::string> gemini_headers(const ModelRequest& request, const ProviderOptions& options) {
  return request_headers(request.request_id, options, {{"x-goog-api-key", options.api_key}}, request.own_of("gemini"));
}

std::string gemini_url(const std::string& base_url, const std::string& model) {
  static constexpr std::array<std::string_view, 5> whole = {"/v1", "/v1beta", "/v1beta1", "/v1alpha",
                                                            "/publishers/google"};
  std::string url = joined_url(base_url, "");
  if (std::none_of(whole.begin(), whole.end(), [&url](auto end) { return url.ends_with(end); })) url += "/v1beta";
  const bool has_folder = model.starts_with("models/") || model.starts_with("tunedModels/");
  return url + (has_folder ? "/" : "/models/") + encoded(model) + ":streamGenerateContent?alt=sse";
}

}  // namespace tokenrelay::upstream
