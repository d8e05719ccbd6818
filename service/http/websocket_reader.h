// WebSocketReader: a client's messages (RFC 6455 5, 7.4, 8.1), frame by frame as the bytes come.
//
// A frame is judged as soon as its length is known, before any of its payload, and a text as soon as a byte of it is
// wrong. A message is one buffer of at most `message_bytes`, freed before the next is read; an idle reader holds no
// buffer. A violation ends the reading. Threads: loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

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
  WebSocketReader(const WebSocketReader&) = delete;
  WebSocketReader& operator=(const WebSocketReader&) = delete;

  Item next();

 private:
  enum class Stage { header, key, payload };

  bool fill();
  bool has(size_t bytes) const { return input_.size() - at_ >= bytes; }
  uint64_t big_endian(size_t offset, size_t bytes) const;
  uint16_t read_header(bool& whole);  // 0, or why not
  uint16_t begin_frame(uint64_t length);
  uint16_t take_payload();
  uint16_t take(std::string_view piece);
  Item finish_frame();
  Item finish_control();
  Item violation(uint16_t code);
  Item close_item();

  Source source_;
  const size_t message_bytes_;
  std::string input_;  // bytes that have arrived; at_ of them are read
  size_t at_ = 0;
  std::string message_, control_;
  size_t valid_bytes_ = 0;  // of message_, known to be UTF-8
  uint64_t frame_left_ = 0;
  uint32_t key_at_ = 0;  // how far into the frame's payload
  uint8_t key_[4] = {};
  uint8_t opcode_ = 0;
  Stage stage_ = Stage::header;
  bool final_ = false, in_message_ = false, delivered_ = false, over_ = false;
};

}  // namespace tokenrelay::http
