// WebSocketReader: a client's messages (RFC 6455 5, 7.4, 8.1), joined here from the frames that wslay reads.
//
// Only wslay's frame layer is used: its message layer keeps a block for every fragment, and closes without a code after
// several violations. A message is one buffer of at most `message_bytes`, freed before the next is read. A message that
// breaks a rule is a violation as soon as that can be seen, and ends the reading. Threads: loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

struct wslay_frame_context;

namespace tokenrelay::http {

class WebSocketReader {
 public:
  static constexpr uint16_t no_code = 1005;  // a close frame without one

  struct Item {
    // violation: close with `code`. nothing: more bytes are needed, or the reading has ended.
    enum class Kind { nothing, text, ping, pong, close, violation } kind = Kind::nothing;
    std::string_view payload = {};  // for a close frame: its reason; valid until the next call
    uint16_t code = no_code;        // close, violation
  };

  // Fills at most `room` bytes; 0: there are none now.
  using Source = std::function<size_t(uint8_t* into, size_t room)>;

  WebSocketReader(size_t message_bytes, Source source);
  ~WebSocketReader();
  WebSocketReader(const WebSocketReader&) = delete;
  WebSocketReader& operator=(const WebSocketReader&) = delete;

  Item next();

 private:
  uint16_t begin_frame(bool masked, uint8_t rsv, uint8_t opcode, uint64_t length);  // 0, or why not
  uint16_t take(std::string_view piece);
  Item finish_control();
  Item violation(uint16_t code);
  Item close_item();

  Source source_;
  const size_t message_bytes_;
  wslay_frame_context* frames_ = nullptr;
  std::string message_, control_;
  size_t valid_bytes_ = 0;  // of message_, known to be UTF-8
  uint64_t frame_left_ = 0;
  uint8_t opcode_ = 0;
  bool in_frame_ = false, in_message_ = false, delivered_ = false, over_ = false;
};

}  // namespace tokenrelay::http
