// POST /v1beta/models/{model}:…, translated into the neutral format.
#include "service/surface/gemini/request.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "service/api/create_request.h"
#include "service/json/blank.h"
#include "service/surface/gemini/members.h"
#include "service/surface/gemini/own.h"
#include "service/surface/gemini/tools.h"
#include "service/surface/gemini/turns.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Read = tl::expected<void, Error>;

constexpr const char* foreign = "is not supported by this model's upstream";

// Members of generationConfig and their names in Chat Completions.
constexpr std::array<std::pair<std::string_view, std::string_view>, 8> same = {
    {{"temperature", "temperature"},
     {"topP", "top_p"},
     {"topK", "top_k"},
     {"maxOutputTokens", "max_completion_tokens"},
     {"stopSequences", "stop"},
     {"seed", "seed"},
     {"presencePenalty", "presence_penalty"},
     {"frequencyPenalty", "frequency_penalty"}}};

// 40.0 becomes 40: Google's clients send topK as either.
Value whole_number(const Value& value) {
  if (!value.is_number_float()) return value;
  const double number = value.get<double>();
  return number >= 0 && number < 1e9 && number == std::floor(number) ? Value(static_cast<uint64_t>(number)) : value;
}

class Generation {
 public:
  Generation(const Value& config, Value& parameters, Value* own)
      : config_(camel_members(config)), parameters_(parameters), own_(own) {}

  Read read() {
    for (const auto& [name, value] : config_.items()) {
      if (const Read read = member(name, value); !read) return read;
    }
    return format();
  }

 private:
  Read member(const std::string& name, const Value& value) {
    if (says_nothing(value)) return {};
    for (const auto& [ours, neutral] : same) {
      if (name != ours) continue;
      parameters_[std::string(neutral)] = name == "topK" ? whole_number(value) : value;
      return {};
    }
    if (name.starts_with("response") && name != "responseLogprobs" && name != "responseModalities") return {};
    if (name == "candidateCount") {
      return value == 1 || value == 0 ? Read()
                                      : refuse(place(name), "must be 1: the relay supports one candidate only");
    }
    if (name == "responseModalities" && value == Value::array({"TEXT"})) return {};
    if (name == "responseLogprobs" && value == false) return {};
    if (own_ == nullptr && json::is_blank(value)) return {};
    if (own_ != nullptr) {
      (*own_)["generationConfig"][name] = value;
      return {};
    }
    return name == "thinkingConfig" ? thinking(camel_members(value)) : refuse(place(name), foreign);
  }

  // A budget becomes the nearest effort. includeThoughts is ignored: the upstream decides.
  Read thinking(const Value& config) {
    for (const auto& [name, value] : config.items()) {
      if (says_nothing(value)) continue;
      if (name == "thinkingLevel" && value.is_string()) {
        std::string level = value.get<std::string>();
        std::transform(level.begin(), level.end(), level.begin(), [](unsigned char c) { return std::tolower(c); });
        parameters_["reasoning_effort"] = level;
      } else if (name == "thinkingBudget" && value.is_number_integer()) {
        const int64_t budget = value.get<int64_t>();
        if (budget < 0) continue;  // the model decides
        parameters_["reasoning_effort"] = budget == 0      ? "none"
                                          : budget <= 2048 ? "low"
                                          : budget <= 8192 ? "medium"
                                                           : "high";
      } else if (name != "includeThoughts" && !json::is_blank(value)) {
        return refuse(place("thinkingConfig." + name), "is not supported by this model's upstream");
      }
    }
    return {};
  }

  Read format() {
    const std::string type = json::word(config_, "responseMimeType");
    Value schema;
    if (config_.contains("responseSchema") && !json::is_empty(config_["responseSchema"]))
      schema = json_schema_of(config_["responseSchema"]);
    if (config_.contains("responseJsonSchema") && !json::is_empty(config_["responseJsonSchema"])) {
      schema = config_["responseJsonSchema"];
    }
    if (!schema.is_null()) {
      parameters_["response_format"] = {{"type", "json_schema"},
                                        {"json_schema", Value{{"name", "response"}, {"schema", std::move(schema)}}}};
    } else if (type == "application/json") {
      parameters_["response_format"] = {{"type", "json_object"}};
    }
    if (type.empty() || type == "text/plain" || type == "application/json") return {};
    if (own_ == nullptr) return refuse(place("responseMimeType"), foreign);
    (*own_)["generationConfig"]["responseMimeType"] = type;
    return {};
  }

  static std::string place(const std::string& name) { return "generationConfig." + name; }

  const Value config_;
  Value& parameters_;
  Value* const own_;  // null: the upstream is not Google's
};

Read read_others(const Value& body, Value* own) {
  static constexpr std::array<std::string_view, 6> read_elsewhere = {"contents",   "systemInstruction", "tools",
                                                                     "toolConfig", "generationConfig",  "model"};
  for (const auto& [name, value] : body.items()) {
    if (std::find(read_elsewhere.begin(), read_elsewhere.end(), name) != read_elsewhere.end()) continue;
    if (says_nothing(value) || (own == nullptr && json::is_blank(value))) continue;
    if (own == nullptr) return refuse(name, foreign);
    (*own)[name] = value;
  }
  return {};
}

Read translate(const Value& body, std::string_view kind, SurfaceRequest& out) {
  Value parameters = Value::object(), members = Value::object();
  Value* own = kind == own_kind(Protocol::gemini) ? &members : nullptr;
  auto messages = read_gemini_turns(body, kind);
  if (!messages) return tl::make_unexpected(messages.error());
  Read read = read_others(body, own);
  if (read) read = read_gemini_tools(body, parameters, own);
  if (read && body.contains("generationConfig")) read = Generation(body["generationConfig"], parameters, own).read();
  if (!read) return read;
  const auto bytes = api::check_messages(*messages);
  if (!bytes) return refuse("contents", bytes.error());
  if (!members.empty()) parameters["x_gemini"] = Value{{"body", std::move(members)}};
  out.prompt_bytes = *bytes;
  out.messages = json::dump(*messages);
  out.parameters = json::dump(parameters);
  return {};
}

}  // namespace

tl::expected<SurfaceRequest, Error> read_gemini_request(const Value& given, std::string_view raw,
                                                        const std::string& model, std::string_view upstream_kind) {
  const Value body = camel_members(given);
  if (const auto named = body.find("model"); named != body.end() && !says_nothing(*named)) {
    if (*named != model && *named != "models/" + model) return refuse("model", "must be the model in the URL");
  }
  SurfaceRequest out;
  out.model = model;
  out.marks = R"(,"surface":"gemini")";
  const Read translated = translate(body, upstream_kind, out);
  if (upstream_kind == own_kind(Protocol::gemini) && !has_foreign_contents(body)) {
    send_own(out, upstream_kind, raw, translated ? std::nullopt : std::optional(translated.error()));
  } else if (!translated) {
    return tl::make_unexpected(translated.error());
  }
  return out;
}

std::string gemini_field(const std::string& neutral_field) {
  constexpr std::string_view own = "x_gemini.body.";
  if (neutral_field.starts_with("messages")) return "contents";
  std::string field = same_name(neutral_field);
  if (field.starts_with(own)) return field.substr(own.size());
  for (const auto& [ours, neutral] : same) {
    if (field == neutral) return "generationConfig." + std::string(ours);
  }
  if (field.starts_with("reasoning_effort")) return "generationConfig.thinkingConfig";
  if (field.starts_with("response_format")) return "generationConfig.responseMimeType";
  if (field.starts_with("tool_choice")) return "toolConfig.functionCallingConfig";
  if (field.starts_with("tools")) return "tools";
  return field;
}

}  // namespace tokenrelay::surface
