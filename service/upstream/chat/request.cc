#include "service/upstream/chat/request.h"

#include "service/json/sax.h"
#include "service/json/write.h"
#include "service/upstream/chat/turns.h"
#include "service/upstream/prompt.h"

namespace tokenrelay::upstream {
namespace {

constexpr std::string_view stream_options = R"({"include_usage":true})";

void append_member(std::string& out, std::string_view name, std::string_view raw_value) {
  if (out.size() > 1) out += ',';
  json::append_string(out, name);
  out += ':';
  out += raw_value;
}

void append_parameters(std::string& out, std::string_view parameters) {
  std::string scratch;
  json::Reader in(parameters, scratch, json::deepest);
  if (parameters.empty() || in.peek() != json::Reader::Kind::object) return;
  in.object([&](std::string_view key) {
    const std::string name(key);
    const std::string_view value = in.raw();
    if (in.ok() && !is_own_parameter(name)) append_member(out, name, value);
  });
}

}  // namespace

std::string openai_body(const ModelRequest& request) {
  std::string body = "{";
  body.reserve(request.messages.size() + request.parameters.size() + 200);
  std::string model;
  json::append_string(model, request.model);
  append_member(body, "model", model);
  append_member(body, "messages", openai_messages(request.messages));
  append_parameters(body, request.parameters);
  append_member(body, "stream", "true");
  append_member(body, "stream_options", stream_options);
  return body + "}";
}

std::string openai_own_body(const OwnRequest& own, std::string_view model) {
  std::string name;
  json::append_string(name, model);
  const std::string_view given = member_of(own.body, "stream_options");
  const std::string options = with_members(given.starts_with('{') ? given : "{}", {{"include_usage", "true"}});
  return with_members(own.body, {{"model", name}, {"stream", "true"}, {"stream_options", options}});
}

std::string without_stream_options(std::string_view body) {
  return with_members(body, {{"stream_options", ""}});
}

std::optional<UnsupportedField> openai_refuses(const ModelRequest& request) {
  std::optional<UnsupportedField> refused;
  std::string scratch;
  json::Reader in(request.parameters, scratch, json::deepest);
  if (request.parameters.empty() || in.peek() != json::Reader::Kind::object) return refused;
  in.object([&](std::string_view key) {
    if (key != "x_anthropic" && key != "x_gemini" && key != "x_responses") return;
    const std::string name = "parameters." + std::string(key);
    const std::string_view value = in.raw();
    if (value != "null" && value != "{}") refused = UnsupportedField{name, "is not supported by this upstream"};
  });
  return refused;
}

}  // namespace tokenrelay::upstream
