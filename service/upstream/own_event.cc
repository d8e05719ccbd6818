#include "service/upstream/own_event.h"

namespace tokenrelay::upstream {
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

}  // namespace

std::string encode_own(const OwnEvent& event) {
  std::string out(1, static_cast<char>(event.op));
  if (event.op != OwnEvent::Op::shape) return out += event.json;
  out.reserve(event.before.size() + event.after.size() + 16);
  out += static_cast<char>(event.voice);
  append_varint(out, event.call);
  append_varint(out, event.before.size());
  out += event.before;
  out += event.after;
  return out;
}

std::optional<OwnEvent> decode_own(std::string_view entry) {
  if (entry.empty() || static_cast<uint8_t>(entry.front()) > static_cast<uint8_t>(OwnEvent::Op::shape)) {
    return std::nullopt;
  }
  OwnEvent event;
  event.op = static_cast<OwnEvent::Op>(entry.front());
  entry.remove_prefix(1);
  if (event.op != OwnEvent::Op::shape) {
    event.json = entry;
    return event;
  }
  if (entry.empty() || static_cast<uint8_t>(entry.front()) > static_cast<uint8_t>(OwnEvent::Voice::tool_call)) {
    return std::nullopt;
  }
  event.voice = static_cast<OwnEvent::Voice>(entry.front());
  entry.remove_prefix(1);
  uint64_t size = 0;
  if (!read_varint(entry, event.call) || !read_varint(entry, size) || size > entry.size()) return std::nullopt;
  event.before = entry.substr(0, size);
  event.after = entry.substr(size);
  return event;
}

}  // namespace tokenrelay::upstream
