#include "service/surface/chat/request.h"

#include <algorithm>
#include <array>

#include "service/api/create_request.h"
#include "service/json/blank.h"
#include "service/surface/own.h"
#include "service/upstream/prompt.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Refused = tl::unexpected<Error>;

// Other protocols' names for what the relay sets itself: passed on, they would make two requests in one.
constexpr std::array<std::string_view, 4> foreign = {"prompt", "input", "contents", "background"};

// What the relay itself reads.
bool is_relays(std::string_view name) {
  return name == "model" || name == "stream" || name == "stream_options";
}

// The log has no event for what these return, so the client would silently not get it.
bool asks_for_more_than_text(const std::string& name, const Value& value) {
  const bool asks = name == "logprobs" || name == "top_logprobs" || name == "audio" || name == "modalities";
  return asks && !upstream::changes_nothing(name, value);
}

tl::expected<void, Error> read_member(const std::string& name, const Value& value, bool at_home, ChatRequest& out,
                                      Value& parameters) {
  if (name == "model") {
    if (value.is_null()) return {};
    if (!value.is_string() || value.get_ref<const std::string&>().size() > 256)
      return refuse(name, "must be a string of at most 256 bytes");
    out.model = value.get<std::string>();
  } else if (name == "messages") {
    const auto bytes = api::check_messages(value);
    if (!bytes) return refuse(name, bytes.error());
    out.prompt_bytes = *bytes;
    out.messages = json::dump(value);
  } else if (name == "stream") {
    if (!value.is_boolean() && !value.is_null()) return refuse(name, "must be true or false");
    out.stream = value == true;
  } else if (name == "n") {
    if (!upstream::changes_nothing(name, value)) return refuse(name, "must be 1: the relay supports one choice only");
  } else if (name == "stream_options") {
    if (!value.is_object() && !value.is_null()) return refuse(name, "must be an object");
    out.include_usage = value.is_object() && value.contains("include_usage") && value["include_usage"] == true;
  } else if (asks_for_more_than_text(name, value)) {
    return refuse(name, "is not supported: the relay returns text, reasoning and tool calls only");
  } else if (std::find(foreign.begin(), foreign.end(), name) != foreign.end()) {
    if (!at_home && !json::is_blank(value)) return refuse(name, "is not a field of a chat completion request");
  } else {
    parameters[name] = value;
  }
  return {};
}

}  // namespace

tl::expected<ChatRequest, Error> parse_chat_request(
    std::string_view body, json::Limits limits, const std::function<std::string(const std::string& model)>& kind_of) {
  const auto parsed = json::parse(body, limits);
  if (!parsed) return refuse("", "the body is not valid JSON: " + parsed.error().message);
  if (!parsed->is_object()) return refuse("", "the body must be a JSON object");
  if (!parsed->contains("messages")) return refuse("messages", "is missing");
  ChatRequest out;
  Value parameters = Value::object();
  const std::string kind = kind_of(json::word(*parsed, "model"));
  const bool at_home = kind == own_kind(Protocol::chat);
  std::optional<Error> untranslated;  // at home it is the provider who judges
  for (const auto& [name, value] : parsed->items()) {
    const auto read = read_member(name, value, at_home, out, parameters);
    if (read) continue;
    if (!at_home || is_relays(name)) return tl::make_unexpected(read.error());
    if (!untranslated) untranslated = read.error();
  }
  if (at_home) send_own(out, kind, body, untranslated);
  out.parameters = json::dump(parameters);
  out.marks = R"(,"surface":"chat")";
  return out;
}

}  // namespace tokenrelay::surface
