#include "service/api/socket_message.h"

#include <array>

#include "service/api/stream_json.h"
#include "service/json/parse.h"
#include "service/json/write.h"
#include "service/relay/event_codec.h"

namespace tokenrelay::api {
namespace {

using Kind = SocketCommand::Kind;

constexpr size_t max_ref_bytes = 128;

struct Shape {
  std::string_view name;
  Kind kind;
  std::string_view field;  // what it may carry beside type and ref
};
constexpr std::array<Shape, 4> shapes = {{{"cancel", Kind::cancel, ""},
                                          {"steer", Kind::steer, "content"},
                                          {"subscribe", Kind::subscribe, "last_event_id"},
                                          {"unsubscribe", Kind::unsubscribe, ""}}};

class SocketFormat final : public relay::Format {
 public:
  void append(std::string& out, const std::vector<relay::Run>& runs, relay::Seq seq, storage::EventKind kind,
              std::string_view payload) override {
    if (!relay::is_shown(kind)) return;
    out += "{\"type\":\"event\",\"id\":\"";
    relay::append_event_id(out, runs, seq);
    out += "\",\"event\":\"";
    const auto name = relay::event_name(kind);
    out += name.empty() ? "message" : name;
    out += "\",\"data\":";
    relay::append_data(out, kind, payload);
    out += "}\n";
  }
};

void append_member(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  json::append_string(out, value);
}

tl::unexpected<BadMessage> bad(std::string ref, std::string detail) {
  return tl::make_unexpected(BadMessage{std::move(ref), std::move(detail)});
}

tl::expected<SocketCommand, BadMessage> read_field(SocketCommand command, std::string_view field,
                                                   const json::Value* value) {
  if (command.kind == Kind::steer) {
    if (!value || !value->is_string() || value->get_ref<const std::string&>().empty()) {
      return bad(command.ref, "\"content\" must be a non-empty string");
    }
    command.content = value->get<std::string>();
  }
  if (command.kind == Kind::subscribe && value && !value->is_null()) {
    if (!value->is_string()) return bad(command.ref, "\"last_event_id\" must be a string");
    const auto& text = value->get_ref<const std::string&>();
    if (!text.empty()) command.cursor = relay::parse_event_id(text);
    if (!text.empty() && !command.cursor) return bad(command.ref, std::string(field) + " is not an event id");
  }
  return command;
}

}  // namespace

std::string_view name_of(Kind kind) {
  return shapes.at(static_cast<size_t>(kind)).name;
}

tl::expected<SocketCommand, BadMessage> parse_socket_command(std::string_view text, json::Limits limits) {
  const auto message = json::parse(text, limits);
  if (!message) return bad("", "the message is not valid JSON: " + message.error().message);
  if (!message->is_object()) return bad("", "the message must be a JSON object");
  SocketCommand command{};
  if (const auto ref = message->find("ref"); ref != message->end()) {
    if (!ref->is_string() || ref->get_ref<const std::string&>().size() > max_ref_bytes) {
      return bad("", "\"ref\" must be a string of at most 128 bytes");
    }
    command.ref = ref->get<std::string>();
  }
  const auto type = message->find("type");
  const Shape* shape = nullptr;
  for (const auto& one : shapes) {
    if (type != message->end() && *type == one.name) shape = &one;
  }
  if (!shape) return bad(command.ref, "\"type\" must be cancel, steer, subscribe or unsubscribe");
  command.kind = shape->kind;
  for (const auto& [name, value] : message->items()) {
    const bool known = name == "type" || name == "ref" || (!shape->field.empty() && name == shape->field);
    if (!known) return bad(command.ref, "unknown field in a message of type " + std::string(shape->name));
  }
  const auto field = shape->field.empty() ? message->end() : message->find(std::string(shape->field));
  const json::Value* value = field == message->end() ? nullptr : &*field;
  return read_field(std::move(command), shape->field, value);
}

std::string hello_message(const relay::Stream& stream, std::string_view request_id) {
  std::string out = "{\"type\":\"hello\"";
  append_member(out, "stream", stream.id());
  append_member(out, "status", stream.status());
  append_member(out, "last_event_id", relay::event_id(stream.runs(), stream.durable()));
  append_member(out, "request_id", request_id);
  return out + "}";
}

std::string ack_message(std::string_view ref, std::string_view status, std::string_view event_id) {
  std::string out = "{\"type\":\"ack\"";
  append_member(out, "ref", ref);
  append_member(out, "status", status);
  if (!event_id.empty()) append_member(out, "event_id", event_id);
  return out + "}";
}

std::string error_message(std::string_view ref, std::string_view code, std::string_view message) {
  std::string out = "{\"type\":\"error\"";
  if (!ref.empty()) append_member(out, "ref", ref);
  append_member(out, "code", code);
  append_member(out, "message", message);
  return out + "}";
}

std::string resumed_message(const relay::Stream& stream, relay::Verdict verdict) {
  return R"({"type":"event","event":"resumed","data":)" + resumed_json(stream, verdict) + "}";
}

relay::Format& socket_format() {
  static SocketFormat format;
  return format;
}

}  // namespace tokenrelay::api
