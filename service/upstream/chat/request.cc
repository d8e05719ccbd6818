#include "service/upstream/chat/request.h"

#include "service/json/sax.h"
#include "service/json/write.h"
#include "service/upstream/chat/turns.h"
#include "service/upstream/prompt.h"

namespace tokenrelay::upstream {
namespace {

constexpr std::string_view stream_options = R"(,"stream_options":{"include_usage":true}})";

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
  body += stream_options;
  return body;
}

std::string without_stream_options(std::string_view body) {
  return std::string(body.substr(0, body.size() - stream_options.size())) + "}";
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
