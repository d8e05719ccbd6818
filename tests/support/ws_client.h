// WsClient: RFC 6455 by hand, so that a test can send frames that no library would, and see exactly what comes back.
#pragma once

#include <optional>
#include <string>

#include "tests/support/http_connection.h"

namespace tokenrelay::support {

struct WsFrame {
  int opcode = 0;  // 1 text, 2 binary, 8 close, 9 ping, 10 pong, 0 continuation
  bool final = true;
  std::string payload;
  int close_code() const;  // of a close frame; 1005: none was sent
  Json json() const { return Json::parse(payload, nullptr, false); }
};

// A client's frame. `length_bytes`: 0, 2 or 8 forces that form of the length; -1: the shortest. `rsv`: the reserved
// bits, 4 is RSV1.
std::string ws_frame(int opcode, const std::string& payload, bool final = true, bool masked = true,
                     int length_bytes = -1, int rsv = 0);

class WsClient {
 public:
  // Connects and upgrades; status() says what came of it.
  WsClient(uint16_t port, const std::string& target, Fields more = {}, int receive_buffer = 0);
  int status() const { return head_ ? head_->status : 0; }
  const std::optional<Head>& head() const { return head_; }
  Response refusal();  // the plain HTTP answer to a refused upgrade

  bool send_text(const std::string& payload) { return send_frame(1, payload); }
  bool send_json(const Json& message) { return send_text(message.dump()); }
  bool send_frame(int opcode, const std::string& payload, bool final = true, bool masked = true);
  bool send_close(int code, const std::string& reason = "");
  bool send_raw(const std::string& bytes) { return http_.send(bytes); }
  // The next frame; pings are answered and skipped unless asked for. Nothing: closed, or the deadline.
  std::optional<WsFrame> next(Deadline deadline = 10s, bool with_pings = false);
  // The next text message of this type; others are skipped.
  std::optional<Json> next_of(const std::string& type, Deadline deadline = 10s);
  std::optional<int> close_code(Deadline deadline = 10s);  // skips to the close frame
  // How the connection ends, whatever frames still come before: fin, reset, or timeout if it does not.
  Got end(Deadline deadline = 10s);
  Socket& socket() { return http_.socket(); }

 private:
  HttpConnection http_;
  std::optional<Head> head_;
  std::string buffer_;
};

}  // namespace tokenrelay::support
