#include "tests/support/ws_client.h"

namespace tokenrelay::support {

int WsFrame::close_code() const {
  if (payload.size() < 2) return 1005;
  return static_cast<unsigned char>(payload[0]) << 8 | static_cast<unsigned char>(payload[1]);
}

WsClient::WsClient(uint16_t port, const std::string& target, Fields more) : http_(port) {
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

bool WsClient::send_frame(int opcode, const std::string& payload, bool final, bool masked) {
  std::string out(1, static_cast<char>((final ? 0x80 : 0) | opcode));
  const char mask_bit = masked ? '\x80' : '\0';
  if (payload.size() < 126) {
    out += static_cast<char>(mask_bit | static_cast<char>(payload.size()));
  } else {
    const bool wide = payload.size() > 0xffff;
    out += static_cast<char>(mask_bit | (wide ? 127 : 126));
    for (int shift = wide ? 56 : 8; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift & 0xff);
  }
  constexpr char kMask[] = {0x11, 0x22, 0x33, 0x44};
  if (masked) out.append(kMask, 4);
  for (size_t i = 0; i < payload.size(); ++i) out += static_cast<char>(masked ? payload[i] ^ kMask[i % 4] : payload[i]);
  return http_.send(out);
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
