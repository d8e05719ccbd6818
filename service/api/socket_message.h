// The JSON text messages of a control socket (subprotocol tokenrelay.v1; PROTOCOL.md, WebSocket).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>

#include "service/json/parse.h"
#include "service/relay/format.h"
#include "service/relay/stream.h"

namespace tokenrelay::api {

struct SocketCommand {
  enum class Kind { cancel, steer, subscribe, unsubscribe };
  Kind kind;
  std::string ref;                       // the client's name for the command, or ""
  std::string content;                   // steer
  std::optional<relay::EventId> cursor;  // subscribe
};
std::string_view name_of(SocketCommand::Kind kind);

struct BadMessage {
  std::string ref, detail;
};

tl::expected<SocketCommand, BadMessage> parse_socket_command(std::string_view text, json::Limits limits);

std::string hello_message(const relay::Stream& stream, std::string_view request_id);
std::string ack_message(std::string_view ref, std::string_view status, std::string_view event_id);
std::string error_message(std::string_view ref, std::string_view code, std::string_view message);
std::string resumed_message(const relay::Stream& stream, relay::Verdict verdict);

// One event per line (its JSON contains no line break): the socket sends each line as one message.
relay::Format& socket_format();

}  // namespace tokenrelay::api
