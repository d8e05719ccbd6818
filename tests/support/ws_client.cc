#include "tests/support/ws_client.h"

namespace tokenrelay::support {

int WsFrame::close_code() const {
  if (payload.size() < 2) return 1005;
  return static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
}

WsClient::WsClient(uint16_t port, const std::string& target, Fields more, int receive_buffer)
    : http_(port, receive_buffer) {
  Request request{.target = target,
                  .fields = {{"Upgrade", "websocket"},
                             {"Connection", "Upgrade"},
                             {"Sec-WebSocket-Version", "13"},
                             {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="}}};
  for (auto& field : more) request.fields.push_back(std::move(field));
  http_.send(request);
  head_ = http_.read_head();
  if (status() == 101) buffer_ = http_.pending();
}

Response WsClient::refusal() {
  Response response;
  response.status = status();
  if (head_) response.head = *head_;
  response.body = http_.read_body();
  response.end = http_.end();
  return response;
}

std::string ws_frame(int opcode, const std::string& payload, bool final, bool masked, int length_bytes, int rsv) {
  const size_t size = payload.size();
  if (length_bytes < 0) length_bytes = size < 126 ? 0 : size <= 0xffff ? 2 : 8;
  std::string out(1, static_cast<char>((final ? 0x80 : 0) | rsv << 4 | opcode));
  const int first = length_bytes == 0 ? static_cast<int>(size) : length_bytes == 2 ? 126 : 127;
  out += static_cast<char>((masked ? 0x80 : 0) | first);
  for (int i = length_bytes; i-- > 0;) out += static_cast<char>(size >> (8 * i) & 0xff);
  constexpr char mask[] = {0x11, 0x22, 0x33, 0x44};
  if (masked) out.append(mask, 4);
  for (size_t i = 0; i < size; ++i) out += static_cast<char>(masked ? payload[i] ^ mask[i % 4] : payload[i]);
  return out;
}

bool WsClient::send_frame(int opcode, const std::string& payload, bool final, bool masked) {
  return http_.send(ws_frame(opcode, payload, final, masked));
}

bool WsClient::send_close(int code, const std::string& reason) {
  return send_frame(8, std::string{static_cast<char>(code >> 8), static_cast<char>(code & 0xff)} + reason);
}

Got WsClient::end(Deadline deadline) {
  for (;;) {
    if (const Got got = http_.socket().receive(buffer_, deadline); got != Got::bytes) return got;
  }
}

std::optional<WsFrame> WsClient::next(Deadline deadline, bool with_pings) {
  for (;;) {
    if (buffer_.size() >= 2) {
      uint64_t size = static_cast<unsigned char>(buffer_[1]) & 0x7f;
      const size_t extra = size == 126 ? 2 : size == 127 ? 8 : 0;
      if (buffer_.size() >= 2 + extra) {
        if (extra > 0) size = 0;
        for (size_t i = 0; i < extra; ++i) size = size << 8 | static_cast<unsigned char>(buffer_[2 + i]);
        if (buffer_.size() >= 2 + extra + size) {
          WsFrame frame{buffer_[0] & 0x0f, (buffer_[0] & 0x80) != 0, buffer_.substr(2 + extra, size)};
          buffer_.erase(0, 2 + extra + size);
          if (frame.opcode == 9 && !with_pings) {
            send_frame(10, frame.payload);
            continue;
          }
          return frame;
        }
      }
    }
    if (http_.socket().receive(buffer_, deadline) != Got::bytes) return std::nullopt;
  }
}

std::optional<Json> WsClient::next_of(const std::string& type, Deadline deadline) {
  while (auto frame = next(deadline)) {
    if (frame->opcode != 1) return std::nullopt;
    if (Json message = frame->json(); message.value("type", "") == type) return message;
  }
  return std::nullopt;
}

std::optional<int> WsClient::close_code(Deadline deadline) {
  while (auto frame = next(deadline)) {
    if (frame->opcode == 8) return frame->close_code();
  }
  return std::nullopt;
}

}  // namespace tokenrelay::support
