#include "service/http/websocket_reader.h"

#include <algorithm>
#include <utility>

#include "service/json/utf8.h"

namespace tokenrelay::http {
namespace {

constexpr uint16_t protocol_error = 1002, unsupported_data = 1003, not_utf8 = 1007, too_big = 1009;
constexpr size_t control_bytes = 125;
constexpr size_t read_bytes = 4096;  // at once
enum Opcode : uint8_t { continuation = 0, text = 1, binary = 2, close = 8, ping = 9, pong = 10 };

bool is_control(uint8_t opcode) {
  return opcode >= close;
}

// RFC 6455 7.4, and what IANA registered since: 1012 to 1014.
bool may_be_sent(uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

}  // namespace

WebSocketReader::WebSocketReader(size_t message_bytes, Source source)
    : source_(std::move(source)), message_bytes_(message_bytes) {}

WebSocketReader::Item WebSocketReader::next() {
  if (std::exchange(delivered_, false)) std::string().swap(message_), valid_bytes_ = 0;
  while (!over_) {
    uint16_t wrong = 0;
    bool more = true;  // there was enough to go on
    if (stage_ == Stage::header) {
      wrong = read_header(more);
    } else if (stage_ == Stage::key) {
      more = has(sizeof key_);
      if (more) std::copy_n(input_.begin() + static_cast<std::ptrdiff_t>(at_), sizeof key_, key_), at_ += sizeof key_;
      if (more) stage_ = Stage::payload;
    } else if (frame_left_ > 0) {
      more = has(1);
      if (more) wrong = take_payload();
    } else if (const Item item = finish_frame(); item.kind != Item::Kind::nothing) {
      return item;
    }
    if (wrong != 0) return violation(wrong);
    if (!more && !fill()) return {};
  }
  return {};
}

// False: there is nothing to read now.
bool WebSocketReader::fill() {
  input_.erase(0, at_);
  at_ = 0;
  if (input_.empty()) std::string().swap(input_);
  uint8_t room[read_bytes];
  const size_t got = source_(room, sizeof room);
  input_.append(reinterpret_cast<const char*>(room), got);
  return got > 0;
}

uint64_t WebSocketReader::big_endian(size_t offset, size_t bytes) const {
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<uint8_t>(input_[at_ + offset + i]);
  return value;
}

// Up to the length; the key that follows it changes nothing.
uint16_t WebSocketReader::read_header(bool& whole) {
  whole = has(2);
  if (!whole) return 0;
  const auto first = static_cast<uint8_t>(big_endian(0, 1)), second = static_cast<uint8_t>(big_endian(1, 1));
  const bool masked = (second & 0x80) != 0;
  uint64_t length = second & 0x7f;
  final_ = (first & 0x80) != 0;
  opcode_ = first & 0x0f;
  if ((first & 0x70) != 0 || !masked) return protocol_error;
  if (is_control(opcode_) && (!final_ || length > control_bytes)) return protocol_error;
  const size_t more = length == 126 ? 2 : length == 127 ? 8 : 0;
  whole = has(2 + more);
  if (!whole) return 0;
  if (more > 0) {
    length = big_endian(2, more);
    const uint64_t shortest = more == 2 ? 126 : 65'536;
    if (length < shortest || length >> 63 != 0) return protocol_error;
  }
  at_ += 2 + more;
  return begin_frame(length);
}

uint16_t WebSocketReader::begin_frame(uint64_t length) {
  stage_ = Stage::key;
  frame_left_ = length;
  key_at_ = 0;
  switch (opcode_) {
    case close:
    case ping:
    case pong:
      control_.clear();
      return 0;
    case continuation:
      if (!in_message_) return protocol_error;
      break;
    case text:
    case binary:
      if (std::exchange(in_message_, true)) return protocol_error;
      if (opcode_ == binary) return unsupported_data;
      break;
    default:
      return protocol_error;
  }
  return length > message_bytes_ - message_.size() ? too_big : 0;
}

uint16_t WebSocketReader::take_payload() {
  const size_t size = static_cast<size_t>(std::min<uint64_t>(frame_left_, input_.size() - at_));
  for (size_t i = 0; i < size; ++i) input_[at_ + i] = static_cast<char>(input_[at_ + i] ^ key_[(key_at_ + i) & 3]);
  key_at_ = (key_at_ + size) & 3;
  at_ += size;
  return take(std::string_view(input_).substr(at_ - size, size));
}

// All of a frame is here. Nothing: it is not the last of its message.
WebSocketReader::Item WebSocketReader::finish_frame() {
  stage_ = Stage::header;
  if (is_control(opcode_)) return finish_control();
  if (!final_) return {};
  if (valid_bytes_ != message_.size()) return violation(not_utf8);
  in_message_ = false;
  delivered_ = true;
  return {Item::Kind::text, message_};
}

uint16_t WebSocketReader::take(std::string_view piece) {
  frame_left_ -= piece.size();
  if (is_control(opcode_)) {
    control_ += piece;
    return 0;
  }
  message_ += piece;
  while (valid_bytes_ < message_.size()) {
    valid_bytes_ += json::ascii_prefix(std::string_view(message_).substr(valid_bytes_));
    if (valid_bytes_ == message_.size()) break;
    const auto step = json::utf8_step(message_, valid_bytes_);
    if (step.kind == json::Utf8Step::Kind::invalid) return not_utf8;
    if (step.kind == json::Utf8Step::Kind::cut_short) break;  // the rest may come with the next piece
    valid_bytes_ += step.length;
  }
  return 0;
}

WebSocketReader::Item WebSocketReader::finish_control() {
  if (opcode_ == ping) return {Item::Kind::ping, control_};
  if (opcode_ == pong) return {Item::Kind::pong, control_};
  return close_item();
}

WebSocketReader::Item WebSocketReader::close_item() {
  over_ = true;
  if (control_.empty()) return {Item::Kind::close};
  if (control_.size() == 1) return violation(protocol_error);
  const auto code =
      static_cast<uint16_t>(static_cast<unsigned char>(control_[0]) << 8 | static_cast<unsigned char>(control_[1]));
  const auto reason = std::string_view(control_).substr(2);
  if (!may_be_sent(code)) return violation(protocol_error);
  if (!json::valid_utf8(reason)) return violation(not_utf8);
  return {Item::Kind::close, reason, code};
}

WebSocketReader::Item WebSocketReader::violation(uint16_t code) {
  over_ = true;
  return {Item::Kind::violation, {}, code};
}

}  // namespace tokenrelay::http
