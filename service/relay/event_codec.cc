#include "service/relay/event_codec.h"

#include <array>

#include "service/json/write.h"

namespace tokenrelay::relay {
namespace {

void append_varint(std::string& out, uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

bool read_varint(std::string_view& in, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 63 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

bool read_sized(std::string_view& in, std::string_view& value) {
  uint64_t size = 0;
  if (!read_varint(in, size) || size > in.size()) return false;
  value = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

void append_tool_call_data(std::string& out, std::string_view payload) {
  const auto piece = decode_tool_call(payload).value_or(ToolCallPiece{});
  out += "{\"index\":";
  out += std::to_string(piece.index);
  out += ",\"id\":";
  json::append_string(out, piece.id);
  out += ",\"name\":";
  json::append_string(out, piece.name);
  out += ",\"arguments_delta\":";
  json::append_string(out, piece.arguments);
  out += '}';
}

}  // namespace

std::string encode_tool_call(const ToolCallPiece& piece) {
  std::string out;
  out.reserve(piece.id.size() + piece.name.size() + piece.arguments.size() + 12);
  append_varint(out, piece.index);
  append_varint(out, piece.id.size());
  out += piece.id;
  append_varint(out, piece.name.size());
  out += piece.name;
  out += piece.arguments;
  return out;
}

std::optional<ToolCallPiece> decode_tool_call(std::string_view payload) {
  ToolCallPiece piece;
  if (!read_varint(payload, piece.index) || !read_sized(payload, piece.id) || !read_sized(payload, piece.name)) {
    return std::nullopt;
  }
  piece.arguments = payload;
  return piece;
}

std::string_view event_name(EventKind kind) {
  static constexpr std::array<std::string_view, 10> names = {"",      "start",    "",     "reasoning", "tool_call",
                                                             "steer", "upstream", "done", "reasoning", ""};
  return names.at(static_cast<size_t>(kind));
}

void append_data(std::string& out, EventKind kind, std::string_view payload) {
  switch (kind) {
    case EventKind::text:
    case EventKind::reasoning:
      out += "{\"delta\":";
      json::append_string(out, payload);
      out += '}';
      return;
    case EventKind::tool_call:
      append_tool_call_data(out, payload);
      return;
    case EventKind::opaque:
      // A reasoning event without text: a client that reads only the delta sees nothing.
      out += "{\"delta\":\"\",";
      out += payload.substr(1);
      return;
    case EventKind::own:
      return;
    default:
      out += payload;
  }
}

bool mergeable(EventKind kind, std::string_view first, std::string_view second) {
  if (kind == EventKind::text || kind == EventKind::reasoning) return true;
  if (kind != EventKind::tool_call) return false;
  const auto a = decode_tool_call(first), b = decode_tool_call(second);
  return a && b && a->index == b->index && a->id == b->id && a->name == b->name;
}

std::string_view merge_part(EventKind kind, std::string_view payload) {
  if (kind != EventKind::tool_call) return payload;
  const auto piece = decode_tool_call(payload);
  return piece ? piece->arguments : std::string_view();
}

}  // namespace tokenrelay::relay
