#include "service/http/websocket_reader.h"

#include <wslay/wslay.h>

#include <new>
#include <utility>

#include "service/json/utf8.h"

namespace tokenrelay::http {
namespace {

constexpr uint16_t protocol_error = 1002, unsupported_data = 1003, not_utf8 = 1007, too_big = 1009;
constexpr size_t control_bytes = 125;

// RFC 6455 7.4, and what IANA registered since: 1012 to 1014.
bool may_be_sent(uint16_t code) {
  if (code >= 3000 && code <= 4999) return true;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

}  // namespace

WebSocketReader::WebSocketReader(size_t message_bytes, Source source)
    : source_(std::move(source)), message_bytes_(message_bytes) {
  wslay_frame_callbacks callbacks{};
  callbacks.recv_callback = [](uint8_t* into, size_t room, int, void* user) -> ssize_t {
    const size_t got = static_cast<WebSocketReader*>(user)->source_(into, room);
    return got == 0 ? -1 : static_cast<ssize_t>(got);
  };
  if (wslay_frame_context_init(&frames_, &callbacks, this) != 0) throw std::bad_alloc();
}

WebSocketReader::~WebSocketReader() {
  wslay_frame_context_free(frames_);
}

WebSocketReader::Item WebSocketReader::next() {
  if (std::exchange(delivered_, false)) std::string().swap(message_), valid_bytes_ = 0;
  while (!over_) {
    wslay_frame_iocb frame{};
    const ssize_t got = wslay_frame_recv(frames_, &frame);
    if (got == WSLAY_ERR_WANT_READ) return {};
    if (got < 0) return violation(protocol_error);
    if (!std::exchange(in_frame_, true)) {
      if (const auto wrong = begin_frame(frame.mask != 0, frame.rsv, frame.opcode, frame.payload_length))
        return violation(wrong);
    }
    if (const auto wrong = take({reinterpret_cast<const char*>(frame.data), static_cast<size_t>(got)}))
      return violation(wrong);
    if (frame_left_ > 0) continue;
    in_frame_ = false;
    if (wslay_is_ctrl_frame(opcode_)) return finish_control();
    if (!frame.fin) continue;
    if (valid_bytes_ != message_.size()) return violation(not_utf8);
    in_message_ = false;
    delivered_ = true;
    return {Item::Kind::text, message_};
  }
  return {};
}

uint16_t WebSocketReader::begin_frame(bool masked, uint8_t rsv, uint8_t opcode, uint64_t length) {
  opcode_ = opcode;
  frame_left_ = length;
  if (!masked || rsv != 0) return protocol_error;
  switch (opcode) {
    case WSLAY_CONNECTION_CLOSE:
    case WSLAY_PING:
    case WSLAY_PONG:
      control_.clear();
      return length > control_bytes ? protocol_error : 0;
    case WSLAY_CONTINUATION_FRAME:
      if (!in_message_) return protocol_error;
      break;
    case WSLAY_TEXT_FRAME:
    case WSLAY_BINARY_FRAME:
      if (std::exchange(in_message_, true)) return protocol_error;
      if (opcode == WSLAY_BINARY_FRAME) return unsupported_data;
      break;
    default:
      return protocol_error;
  }
  return length > message_bytes_ - message_.size() ? too_big : 0;
}

uint16_t WebSocketReader::take(std::string_view piece) {
  frame_left_ -= piece.size();
  if (wslay_is_ctrl_frame(opcode_)) {
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
  if (opcode_ == WSLAY_PING) return {Item::Kind::ping, control_};
  if (opcode_ == WSLAY_PONG) return {Item::Kind::pong, control_};
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
