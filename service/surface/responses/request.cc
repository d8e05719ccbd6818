// POST /v1/responses, translated into the neutral format.
#include "service/surface/responses/request.h"

#include <algorithm>
#include <array>

#include "service/api/create_request.h"
#include "service/json/blank.h"
#include "service/surface/own.h"
#include "service/surface/responses/own.h"
#include "service/surface/responses/parts.h"
#include "service/surface/responses/tools.h"
#include "service/surface/responses/turns.h"
#include "service/upstream/prompt.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Read = tl::expected<void, Error>;

// Members that have the same name in Chat Completions.
constexpr std::array<std::string_view, 8> same = {"temperature",         "top_p",
                                                  "parallel_tool_calls", "user",
                                                  "service_tier",        "prompt_cache_key",
                                                  "safety_identifier",   "prompt_cache_retention"};

class RequestReader {
 public:
  // Without a kind the model is unknown: the client gets that error, not one about a member.
  RequestReader(std::string_view kind, ResponsesRequest& out)
      : same_protocol_(kind.empty() || kind == own_kind(Protocol::responses)), out_(out) {}

  Read member(const std::string& name, const Value& value) {
    if (json::is_empty(value)) return {};  // the SDKs send null for what is not set, other clients ""
    if (name == "model") return model(value);
    if (name == "stream") return flag(name, value, out_.stream);
    if (name == "background") return flag(name, value, out_.background);
    if (name == "metadata") return metadata(value);
    if (name == "store") return store(value);
    if (name == "include") return include(value);
    if (name == "text") return text(value);
    if (name == "reasoning") return reasoning(value);
    if (name == "tools") return read_responses_tools(value, same_protocol_, parameters, own);
    if (name == "tool_choice") return read_responses_tool_choice(value, same_protocol_, parameters, own);
    if (name == "previous_response_id") {
      return refuse(name, "is not supported: the relay does not store requests; send the conversation in `input`");
    }
    if (name == "input" || name == "instructions" || name == "stream_options") return {};
    if (name == "max_output_tokens") {
      if (!value.is_number_unsigned()) return refuse(name, "must be a whole number");
      parameters["max_completion_tokens"] = value;
    } else if (std::find(same.begin(), same.end(), name) != same.end()) {
      parameters[name] = value;
    } else if (name != "truncation" || value != "disabled") {  // that is the default
      return foreign(name, value);
    }
    return {};
  }

  // What the relay itself reads.
  static bool is_relays(std::string_view name) {
    return name == "model" || name == "stream" || name == "background" || name == "metadata";
  }

  Value parameters = Value::object();
  Value own = Value::object();  // members of Responses only

 private:
  // A member that Chat Completions does not have.
  Read foreign(const std::string& name, const Value& value) {
    if (same_protocol_) {
      own[name] = value;
    } else if (!upstream::changes_nothing(name, value)) {
      return refuse(name, "is not supported by this model's upstream");
    }
    return {};
  }

  static Read flag(const std::string& name, const Value& value, bool& out) {
    if (!value.is_boolean()) return refuse(name, "must be true or false");
    out = value.get<bool>();
    return {};
  }

  // The relay stores every answer: clients read it from the log. store: false is only passed on to OpenAI.
  Read store(const Value& value) {
    bool stores = true;
    if (const auto read = flag("store", value, stores); !read) return read;
    if (!stores && same_protocol_) own["store"] = false;
    return {};
  }

  Read model(const Value& value) {
    if (!value.is_string() || value.get_ref<const std::string&>().size() > api::max_model_bytes) {
      return refuse("model", "must be a string of at most 256 bytes");
    }
    out_.model = value.get<std::string>();
    return {};
  }

  Read metadata(const Value& value) {
    if (const auto checked = api::check_metadata(value); !checked)
      return refuse("metadata", "metadata" + checked.error());
    out_.metadata = json::dump(value);
    return {};
  }

  // encrypted_content is always included; the output of OpenAI's own tools is not in the log.
  static Read include(const Value& value) {
    if (!value.is_array()) return refuse("include", "must be an array of strings");
    for (size_t i = 0; i < value.size(); ++i) {
      if (value[i] == "reasoning.encrypted_content") continue;
      return refuse("include[" + std::to_string(i) + "]", "is not supported by the relay");
    }
    return {};
  }

  Read text(const Value& value) {
    if (!value.is_object()) return refuse("text", "must be an object");
    for (const auto& [name, inner] : value.items()) {
      if (json::is_blank(inner)) continue;
      if (name == "verbosity") {
        parameters["verbosity"] = inner;
      } else if (name != "format") {
        return refuse("text." + name, "is not a field of text");
      } else if (const auto type = json::word(inner, "type"); type == "json_schema") {
        Value schema = inner;
        schema.erase("type");
        parameters["response_format"] = Value{{"type", type}, {"json_schema", std::move(schema)}};
      } else if (type == "json_object") {
        parameters["response_format"] = Value{{"type", type}};
      } else if (type != "text") {
        return refuse("text.format.type", "must be text, json_object or json_schema");
      }
    }
    return {};
  }

  // This surface always shows reasoning as a summary; only OpenAI must be asked for it.
  Read reasoning(const Value& value) {
    if (!value.is_object()) return refuse("reasoning", "must be an object");
    for (const auto& [name, inner] : value.items()) {
      if (json::is_blank(inner)) continue;
      if (name == "effort") {
        parameters["reasoning_effort"] = inner;
      } else if (same_protocol_) {
        own["reasoning"][name] = inner;
      } else if (name != "summary" && name != "generate_summary") {
        return refuse("reasoning." + name, "is not supported by this model's upstream");
      }
    }
    return {};
  }

  const bool same_protocol_;
  ResponsesRequest& out_;
};

tl::expected<Value, Error> messages_of(const Value& body, std::string_view kind) {
  Value messages = Value::array();
  if (const auto said = body.find("instructions"); said != body.end() && !json::is_empty(*said)) {
    if (!said->is_string()) return refuse("instructions", "must be a string");
    messages.push_back(Value{{"role", "system"}, {"content", *said}});
  }
  const auto input = body.find("input");
  if (input == body.end()) return refuse("input", "is missing");
  if (const auto read = read_responses_input(*input, kind, messages); !read) return tl::make_unexpected(read.error());
  if (messages.empty()) return refuse("input", "must not be empty");
  return messages;
}

Read translate(const Value& body, std::string_view kind, RequestReader& reader, ResponsesRequest& out) {
  auto messages = messages_of(body, kind);
  if (!messages) return tl::make_unexpected(messages.error());
  const auto bytes = api::check_messages(*messages);
  if (!bytes) return refuse("input", bytes.error());
  out.prompt_bytes = *bytes;
  out.messages = json::dump(*messages);
  if (!reader.own.empty()) reader.parameters["x_responses"] = Value{{"body", std::move(reader.own)}};
  out.parameters = json::dump(reader.parameters);
  return {};
}

}  // namespace

tl::expected<ResponsesRequest, Error> read_responses_request(const Value& body, std::string_view raw,
                                                             std::string_view upstream_kind) {
  ResponsesRequest out;
  out.marks = R"(,"surface":"responses")";
  const bool own = upstream_kind == own_kind(Protocol::responses) && !raw.empty() && !has_foreign_items(body);
  RequestReader reader(upstream_kind, out);
  std::optional<Error> untranslated;  // the client's own provider judges
  for (const auto& [name, value] : body.items()) {
    const auto read = reader.member(name, value);
    if (read) continue;
    if (!own || RequestReader::is_relays(name)) return tl::make_unexpected(read.error());
    if (!untranslated) untranslated = read.error();
  }
  if (auto translated = translate(body, upstream_kind, reader, out); !translated) {
    if (!own) return tl::make_unexpected(translated.error());
    if (!untranslated) untranslated = translated.error();
  }
  if (own) send_own(out, upstream_kind, raw, untranslated);
  if (out.background) out.marks += R"(,"background":true)";
  return out;
}

std::string responses_field(const std::string& neutral_field) {
  static constexpr std::pair<std::string_view, std::string_view> names[] = {
      {"max_completion_tokens", "max_output_tokens"},
      {"reasoning_effort", "reasoning.effort"},
      {"response_format", "text.format"},
      {"verbosity", "text.verbosity"},
  };
  if (neutral_field.starts_with("messages")) return "input";
  std::string field = same_name(neutral_field);
  for (const auto& [neutral, own] : names) {
    if (field.starts_with(neutral)) return std::string(own) + field.substr(neutral.size());
  }
  if (const size_t at = field.find(".function"); field.starts_with("tool") && at != field.npos) {
    field.erase(at, std::string_view(".function").size());
  }
  return field;
}

}  // namespace tokenrelay::surface
