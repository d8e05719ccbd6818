#include "service/upstream/prompt.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "service/json/blank.h"

namespace tokenrelay::upstream {
namespace {

using json::Value;
using Refused = tl::unexpected<UnsupportedField>;
using Role = PromptMessage::Role;
using Kind = PromptPart::Kind;

const Value& member(const Value& object, const char* name) {
  static const Value none;
  if (!object.is_object()) return none;
  const auto it = object.find(name);
  return it == object.end() ? none : *it;
}

std::string thought_signature(const Value& holder) {
  return json::word(member(member(holder, "extra_content"), "google"), "thought_signature");
}

// Takes the data out of a data: URL; keeps any other URL as it is.
void take_url(PromptPart& part, const std::string& url) {
  if (auto data = parse_data_url(url)) {
    part.media_type = std::move(data->media_type);
    part.data = std::move(data->data);
  } else {
    part.url = url;
  }
}

tl::expected<PromptPart, UnsupportedField> read_part(const Value& raw, const std::string& place) {
  PromptPart part;
  part.raw = raw;
  const std::string type = json::word(raw, "type");
  if (type == "text" || type == "input_text" || type == "output_text") {
    part.text = json::word(raw, "text");
    part.signature = thought_signature(raw);
  } else if (type == "refusal") {
    part.kind = Kind::refusal;
    part.text = json::word(raw, "refusal");
  } else if (type == "image_url") {
    part.kind = Kind::image;
    const Value& image = member(raw, "image_url");
    take_url(part, image.is_string() ? image.get<std::string>() : json::word(image, "url"));
    if (part.url.empty() && part.data.empty()) return refuse(place + ".image_url.url", "is missing");
  } else if (type == "input_audio") {
    part.kind = Kind::audio;
    part.data = json::word(member(raw, "input_audio"), "data");
    part.media_type = "audio/" + json::word(member(raw, "input_audio"), "format");
  } else if (type == "file") {
    part.kind = Kind::file;
    const Value& file = member(raw, "file");
    part.file_id = json::word(file, "file_id");
    part.filename = json::word(file, "filename");
    if (const auto data = json::word(file, "file_data"); !data.empty()) {
      take_url(part, data);
      if (part.data.empty()) return refuse(place + ".file.file_data", "must be a base64 data: URL");
    }
    if (const auto url = json::word(file, "file_url"); !url.empty()) part.url = url;
  } else if (type == "thinking") {
    part.kind = Kind::thinking;
    part.text = json::word(raw, "thinking");
    part.signature = json::word(raw, "signature");
  } else if (type == "redacted_thinking") {
    part.kind = Kind::redacted_thinking;
    part.data = json::word(raw, "data");
  } else if (type == "reasoning") {
    part.kind = Kind::reasoning;
  } else {
    return refuse(place + ".type", "content parts of this type are not supported by this upstream");
  }
  return part;
}

tl::expected<Role, UnsupportedField> role_of(const Value& raw, const std::string& place) {
  static constexpr std::array<std::pair<std::string_view, Role>, 6> roles = {{{"user", Role::user},
                                                                              {"assistant", Role::assistant},
                                                                              {"system", Role::system},
                                                                              {"developer", Role::system},
                                                                              {"tool", Role::tool},
                                                                              {"model", Role::assistant}}};
  const std::string role = json::word(raw, "role");
  for (const auto& [name, value] : roles) {
    if (role == name) return value;
  }
  return refuse(place + ".role", "is not supported by this upstream");
}

tl::expected<PromptToolCall, UnsupportedField> read_tool_call(const Value& raw, const std::string& place) {
  const std::string type = json::word(raw, "type");
  if (!type.empty() && type != "function")
    return refuse(place + ".type", "only function calls are supported by this upstream");
  PromptToolCall call;
  call.id = json::word(raw, "id");
  call.name = json::word(member(raw, "function"), "name");
  call.arguments = json::word(member(raw, "function"), "arguments");
  if (call.arguments.empty()) call.arguments = "{}";
  call.thought_signature = thought_signature(raw);
  if (call.name.empty()) return refuse(place + ".function.name", "is missing");
  return call;
}

tl::expected<void, UnsupportedField> read_content(const Value& raw, PromptMessage& message, const std::string& place) {
  const Value& content = member(raw, "content");
  if (content.is_string()) {
    PromptPart part;
    part.text = content.get<std::string>();
    if (!part.text.empty()) message.parts.push_back(std::move(part));
    return {};
  }
  if (const std::string refusal = json::word(raw, "refusal"); content.is_null() && !refusal.empty()) {
    PromptPart part;
    part.kind = Kind::refusal;
    part.text = refusal;
    message.parts.push_back(std::move(part));
  }
  if (!content.is_array()) return {};
  for (size_t i = 0; i < content.size(); ++i) {
    auto part = read_part(content[i], place + ".content[" + std::to_string(i) + "]");
    if (!part) return tl::make_unexpected(part.error());
    message.parts.push_back(std::move(*part));
  }
  return {};
}

tl::expected<PromptMessage, UnsupportedField> read_message(const Value& raw, size_t number) {
  const std::string place = "messages[" + std::to_string(number) + "]";
  PromptMessage message;
  message.place = number;
  const auto role = role_of(raw, place);
  if (!role) return tl::make_unexpected(role.error());
  message.role = *role;
  message.tool_call_id = json::word(raw, "tool_call_id");
  message.name = json::word(raw, "name");
  if (message.role != Role::tool && !message.name.empty()) {
    return refuse(place + ".name", "is not supported by this upstream");
  }
  message.is_error = member(raw, "is_error") == true;
  if (const auto read = read_content(raw, message, place); !read) return tl::make_unexpected(read.error());
  if (!json::is_blank(member(raw, "function_call")))
    return refuse(place + ".function_call", "is not supported: use tool_calls");
  const Value& calls = member(raw, "tool_calls");
  for (size_t i = 0; calls.is_array() && i < calls.size(); ++i) {
    auto call = read_tool_call(calls[i], place + ".tool_calls[" + std::to_string(i) + "]");
    if (!call) return tl::make_unexpected(call.error());
    message.tool_calls.push_back(std::move(*call));
  }
  return message;
}

PromptTool read_tool(const Value& raw) {
  PromptTool tool;
  tool.raw = raw;
  tool.is_function = json::word(raw, "type") == "function";
  const Value& function = member(raw, "function");
  tool.name = json::word(function, "name");
  tool.description = json::word(function, "description");
  tool.parameters = member(function, "parameters");
  if (const Value& strict = member(function, "strict"); strict.is_boolean()) tool.strict = strict.get<bool>();
  return tool;
}

tl::expected<ToolChoice, UnsupportedField> read_tool_choice(const Value& raw) {
  if (raw == "auto") return ToolChoice{ToolChoice::Kind::automatic, {}};
  if (raw == "none") return ToolChoice{ToolChoice::Kind::none, {}};
  if (raw == "required") return ToolChoice{ToolChoice::Kind::required, {}};
  ToolChoice choice{ToolChoice::Kind::named, json::word(member(raw, "function"), "name")};
  if (choice.name.empty()) return refuse("parameters.tool_choice", "is not supported by this upstream");
  return choice;
}

tl::expected<std::vector<std::string>, UnsupportedField> read_stop(const Value& raw) {
  std::vector<std::string> stop;
  if (raw.is_string()) stop.push_back(raw.get<std::string>());
  for (size_t i = 0; raw.is_array() && i < raw.size(); ++i) {
    if (raw[i].is_string()) stop.push_back(raw[i].get<std::string>());
  }
  const bool right = raw.is_string() || (raw.is_array() && stop.size() == raw.size());
  if (!right) return refuse("parameters.stop", "must be a string or an array of strings");
  return stop;
}

tl::expected<void, UnsupportedField> read_parameter(const std::string& name, const Value& value, Prompt& prompt) {
  if (json::is_empty(value)) return {};  // OpenAI's SDKs send null for what is not set, other clients ""
  if (name == "tools") {
    if (!value.is_array()) return refuse("parameters.tools", "must be an array");
    for (const auto& tool : value) prompt.tools.push_back(read_tool(tool));
  } else if (name == "tool_choice") {
    auto choice = read_tool_choice(value);
    if (!choice) return tl::make_unexpected(choice.error());
    prompt.tool_choice = std::move(*choice);
  } else if (name == "stop") {
    auto stop = read_stop(value);
    if (!stop) return tl::make_unexpected(stop.error());
    prompt.stop = std::move(*stop);
  } else if (name == "max_tokens" || name == "max_completion_tokens") {
    if (!value.is_number_unsigned()) return refuse("parameters." + name, "must be a whole number");
    if (name == "max_completion_tokens" || !prompt.max_tokens) prompt.max_tokens = value.get<uint64_t>();
  } else {
    prompt.others[name] = value;
  }
  return {};
}

}  // namespace

std::string path_of(const PromptMessage& message) {
  return "messages[" + std::to_string(message.place) + "]";
}

std::string path_of(const PromptMessage& message, size_t part) {
  return path_of(message) + ".content[" + std::to_string(part) + "]";
}

std::optional<DataUrl> parse_data_url(std::string_view url) {
  constexpr std::string_view scheme = "data:", coding = ";base64,";
  if (!url.starts_with(scheme)) return std::nullopt;
  const size_t at = url.find(coding);
  if (at == url.npos) return std::nullopt;
  const std::string_view type = url.substr(scheme.size(), at - scheme.size());
  return DataUrl{std::string(type.substr(0, type.find(';'))), std::string(url.substr(at + coding.size()))};
}

std::string text_of(const std::vector<PromptPart>& parts) {
  std::string text;
  for (const auto& part : parts) {
    if (part.kind == Kind::text || part.kind == Kind::refusal) text += part.text;
  }
  return text;
}

tl::expected<Prompt, UnsupportedField> read_prompt(const ModelRequest& request) {
  Prompt prompt;
  prompt.others = Value::object();
  const auto messages = json::parse(request.messages, json::deepest);
  if (!messages || !messages->is_array()) return refuse("messages", "must be an array");
  for (size_t i = 0; i < messages->size(); ++i) {
    auto message = read_message((*messages)[i], i);
    if (!message) return tl::make_unexpected(message.error());
    prompt.messages.push_back(std::move(*message));
  }
  if (request.parameters.empty()) return prompt;
  const auto parameters = json::parse(request.parameters, json::deepest);
  if (!parameters || !parameters->is_object()) return refuse("parameters", "must be an object");
  for (const auto& [name, value] : parameters->items()) {
    if (const auto read = read_parameter(name, value, prompt); !read) return tl::make_unexpected(read.error());
  }
  return prompt;
}

bool changes_nothing(std::string_view name, const Value& value) {
  if (name == "parallel_tool_calls") return value == true || value.is_null();
  if (json::is_blank(value)) return true;
  if (name == "n") return value == 1;
  if (name == "store") return value == true;
  if (name == "modalities") return value == Value::array({"text"});
  if (name == "service_tier") return value == "auto" || value == "default" || value == "standard_only";
  if (name == "truncation") return value == "auto" || value == "disabled";
  if (name == "function_call") return value == "auto" || value == "none";
  return name == "verbosity" && value == "medium";
}

bool is_own_parameter(std::string_view name) {
  static constexpr std::string_view own[] = {"model",  "messages",       "prompt", "input",     "contents",
                                             "stream", "stream_options", "n",      "background"};
  return std::find(std::begin(own), std::end(own), name) != std::end(own);
}

}  // namespace tokenrelay::upstream
