#include "service/surface/anthropic/request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "service/api/create_request.h"
#include "service/json/blank.h"
#include "service/surface/anthropic/blocks.h"
#include "service/surface/anthropic/own.h"
#include "service/surface/anthropic/tools.h"
#include "service/surface/anthropic/turns.h"
#include "service/upstream/prompt.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Checked = tl::expected<void, Error>;

constexpr std::string_view default_version = "2023-06-01";  // the upstream's dialect sends it by default

// Members that only need their neutral name.
constexpr std::array<std::pair<std::string_view, std::string_view>, 5> renamed = {
    {{"max_tokens", "max_completion_tokens"},
     {"stop_sequences", "stop"},
     {"temperature", "temperature"},
     {"top_k", "top_k"},
     {"top_p", "top_p"}}};

// A thinking budget as the effort that other dialects use.
std::string effort_of(uint64_t budget) {
  if (budget <= 2048) return "low";
  return budget <= 8192 ? "medium" : "high";
}

class Reader {
 public:
  explicit Reader(std::string kind) : kind_(std::move(kind)), at_home_(kind_ == own_kind(Protocol::anthropic)) {}

  Checked member(const std::string& name, const Value& value);
  void headers(const AnthropicHeaders& headers);
  Value parameters();
  const Value& own() const { return own_; }

 private:
  Checked metadata(const Value& value);
  Checked thinking(const Value& value);
  Checked output_config(const Value& value);
  Checked format(const Value& value);

  const std::string kind_;
  const bool at_home_;
  Value parameters_ = Value::object();
  Value own_ = Value::object();  // x_anthropic.body
  Value headers_ = Value::object();
};

// A provider that holds the conversation would have to know the relay's ids of its answers. anthropic's tool_runner
// asks for a thread by default, and at this code (and no other) it sends the whole conversation itself.
Checked refuse_thread() {
  constexpr const char* message = "is not supported by the relay: send the whole conversation";
  return tl::make_unexpected(Error{400, "thread_unsupported_request", message, "thread", std::nullopt, false});
}

Checked Reader::member(const std::string& name, const Value& value) {
  if (json::is_empty(value)) return {};
  for (const auto& [theirs, neutral] : renamed) {
    if (name != theirs) continue;
    parameters_[std::string(neutral)] = value;
    return {};
  }
  if (name == "tools") return read_anthropic_tools(value, kind_, parameters_, own_);
  if (name == "tool_choice") return read_anthropic_tool_choice(value, parameters_);
  if (name == "metadata") return metadata(value);
  if (name == "thinking") return thinking(value);
  if (name == "output_config") return output_config(value);
  if (!at_home_ && (name == "cache_control" || upstream::changes_nothing(name, value))) return {};
  own_[name] = value;
  return {};
}

Checked Reader::metadata(const Value& value) {
  if (!value.is_object()) return refuse("metadata", "must be an object");
  for (const auto& [name, member] : value.items()) {
    if (json::is_empty(member)) continue;
    if (name == "user_id")
      parameters_["user"] = member;
    else if (at_home_ || !json::is_blank(member))
      own_["metadata"][name] = member;
  }
  return {};
}

Checked Reader::thinking(const Value& value) {
  const std::string type = json::word(value, "type");
  if (at_home_) {
    own_["thinking"] = value;
  } else if (type == "enabled") {
    const bool counted = value.contains("budget_tokens") && value["budget_tokens"].is_number_unsigned();
    if (!counted) return refuse("thinking.budget_tokens", "must be a whole number");
    parameters_["reasoning_effort"] = effort_of(value["budget_tokens"].get<uint64_t>());
  } else if (type != "disabled" && type != "adaptive") {  // these two do not change how a model thinks
    return refuse("thinking.type", "is not supported by this model's upstream");
  }
  return {};
}

Checked Reader::output_config(const Value& value) {
  if (!value.is_object()) return refuse("output_config", "must be an object");
  if (at_home_) {
    own_["output_config"] = value;
    return {};
  }
  for (const auto& [name, member] : value.items()) {
    if (json::is_blank(member)) continue;
    if (name == "effort") {
      parameters_["reasoning_effort"] = member == "max" ? Value("xhigh") : member;
    } else if (name == "format") {
      if (const Checked read = format(member); !read) return read;
    } else {
      return refuse("output_config." + name, "is not supported by this model's upstream");
    }
  }
  return {};
}

Checked Reader::format(const Value& value) {
  if (json::word(value, "type") != "json_schema" || !value.contains("schema")) {
    return refuse("output_config.format", "must be a json_schema with its schema");
  }
  parameters_["response_format"] = {
      {"type", "json_schema"},
      {"json_schema", Value{{"name", "answer"}, {"schema", value["schema"]}, {"strict", true}}}};
  return {};
}

void Reader::headers(const AnthropicHeaders& headers) {
  if (!at_home_) return;
  if (!headers.version.empty() && headers.version != default_version) headers_["anthropic-version"] = headers.version;
  if (!headers.beta.empty()) headers_["anthropic-beta"] = headers.beta;
}

Value Reader::parameters() {
  if (!own_.empty()) parameters_["x_anthropic"]["body"] = own_;
  if (!headers_.empty()) parameters_["x_anthropic"]["headers"] = headers_;
  return parameters_;
}

// The client's name for the neutral field that a dialect refused.
std::string client_name(const std::string& neutral, const AnthropicTurns& turns, const std::string& first_own) {
  if (neutral.starts_with("messages")) return turns.client_place(neutral);
  std::string name = same_name(neutral);
  constexpr std::string_view own = "x_anthropic";
  if (name.starts_with(own)) {
    constexpr std::string_view body = "x_anthropic.body.";
    return name.starts_with(body) ? name.substr(body.size()) : first_own;
  }
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> names = {
      {{"stop", "stop_sequences"},
       {"user", "metadata.user_id"},
       {"max_completion_tokens", "max_tokens"},
       {"parallel_tool_calls", "tool_choice.disable_parallel_tool_use"},
       {"reasoning_effort", "thinking"},
       {"response_format", "output_config.format"}}};
  for (const auto& [from, to] : names) {
    if (name == from) return std::string(to);
  }
  return name;
}

Checked read_model(const Value& body, AnthropicRequest& out) {
  if (!body.contains("model") || json::is_empty(body["model"])) return {};
  out.model = json::word(body, "model");
  if (out.model.empty() || out.model.size() > api::max_model_bytes)
    return refuse("model", "must be a string of at most 256 bytes");
  return {};
}

Value member_of(const Value& body, const char* name) {
  return body.contains(name) ? body[name] : Value();
}

using Translated = tl::expected<void, Error>;

Translated translate(const Value& body, const std::string& kind, const AnthropicHeaders& headers,
                     AnthropicRequest& out) {
  auto turns = read_anthropic_turns(member_of(body, "system"), member_of(body, "messages"), kind);
  if (!turns) return tl::make_unexpected(turns.error());
  Reader reader(kind);
  for (const auto& [name, value] : body.items()) {
    if (name == "model" || name == "system" || name == "messages" || name == "stream") continue;
    if (const Checked read = reader.member(name, value); !read) return read;
  }
  reader.headers(headers);
  const auto bytes = api::check_messages(turns->messages);
  if (!bytes) return refuse("messages", bytes.error());
  out.prompt_bytes = *bytes;
  out.messages = json::dump(turns->messages);
  turns->messages = Value();  // let go here, on a worker
  out.parameters = json::dump(reader.parameters());
  const std::string first_own = reader.own().empty() ? "anthropic-beta" : reader.own().begin().key();
  // Shared: a long conversation has many turns, and the name is passed on by value.
  const auto shared = std::make_shared<const std::decay_t<decltype(*turns)>>(std::move(*turns));
  out.field_name = [shared, first_own](const std::string& neutral) { return client_name(neutral, *shared, first_own); };
  return {};
}

}  // namespace

tl::expected<AnthropicRequest, Error> parse_anthropic_request(
    std::string_view body, json::Limits limits, const AnthropicHeaders& headers,
    const std::function<std::string(const std::string& model)>& kind_of) {
  const auto parsed = json::parse(body, limits);
  if (!parsed) return refuse("", "the body is not valid JSON: " + parsed.error().message);
  if (!parsed->is_object()) return refuse("", "the body must be a JSON object");
  AnthropicRequest out;
  out.field_name = same_name;
  if (const Checked read = read_model(*parsed, out); !read) return tl::make_unexpected(read.error());
  const Value stream = member_of(*parsed, "stream");
  if (!stream.is_boolean() && !stream.is_null()) return refuse("stream", "must be true or false");
  if (!json::is_empty(member_of(*parsed, "thread"))) return tl::make_unexpected(refuse_thread().error());
  out.stream = stream == true;
  out.marks = R"(,"surface":"anthropic")";
  const std::string kind = kind_of(out.model);
  const Translated translated = translate(*parsed, kind, headers, out);
  if (kind == own_kind(Protocol::anthropic) && !has_foreign_messages(*parsed)) {
    send_own(out, kind, body, translated ? std::nullopt : std::optional(translated.error()));
  } else if (!translated) {
    return tl::make_unexpected(translated.error());
  }
  return out;
}

}  // namespace tokenrelay::surface
