// ResponseReader: reads one HTTP/1.1 response from the bytes of a connection (RFC 9112), in pieces that are views into
// the caller's buffer. Interim responses (1xx) and trailers are skipped.
//
// A body ends with its last chunk, after its Content-Length, or with the connection. Kind::bad: two lengths that
// differ, a transfer coding other than chunked, a chunk size that is not a number, a folded framing field. A repeated
// `chunked` counts once.
// (Transfer-Encoding wins over Content-Length, and the connection is then not used again: RFC 9112 6.3.)
//
// Bounds: 64 KiB of head, interim heads and trailers included; 256 bytes for a chunk-size line. It buffers only a line
// that is split between reads. Threads: any one. Errors: Kind::bad, from then on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "service/client/http_client.h"
#include "service/transport/clock.h"

namespace tokenrelay::client {

class ResponseReader {
 public:
  static constexpr size_t max_head = 64 << 10;
  static constexpr size_t max_size_line = 256;

  enum class Kind { more, head, body, end, bad };
  struct Piece {
    Kind kind;
    std::string_view bytes;  // body: never empty, a part of the input
  };

  explicit ResponseReader(const transport::Clock& clock) : clock_(clock) {}

  // The next piece, removed from the front of `input`. `more`: all of `input` was taken, read on. `end` leaves the
  // bytes that do not belong to this response.
  Piece next(std::string_view& input);

  const HttpHead& head() const { return head_; }                       // valid from Kind::head on
  bool ends_by_close() const { return state_ == State::until_close; }  // the body ends with the connection
  bool keeps_connection() const { return keeps_; }                     // valid at the end: another request may follow

 private:
  enum class State { status, fields, length, until_close, size, chunk, chunk_end, trailers, over, broken };

  std::optional<std::string_view> take_line(std::string_view& input);
  bool take_status(std::string_view line);
  bool take_field(std::string_view line);
  bool take_framing(std::string_view name, std::string_view value);
  bool take_size(std::string_view line);
  bool take_in_head(std::string_view line);  // these return false if the response is broken
  bool take_in_body(std::string_view line);
  bool end_head();
  Piece body(std::string_view& input);

  const transport::Clock& clock_;
  HttpHead head_;
  State state_ = State::status;
  std::string line_;  // the beginning of a line; or a whole line, until the next is taken
  bool line_whole_ = false;
  size_t head_left_ = max_head;
  uint64_t left_ = 0;  // of the body, or of the chunk
  std::optional<uint64_t> content_length_;
  bool chunked_ = false, keeps_ = true;
  bool framing_field_ = false;  // the previous line was a framing field
  bool head_ended_ = false;
};

}  // namespace tokenrelay::client
