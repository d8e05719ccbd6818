// Framer: where one HTTP/1.x request begins and ends (RFC 9112), strictly, so that an intermediary cannot see different
// boundaries than we do. It takes the bytes in any pieces: the outcome depends on the bytes alone.
//
// Refused: Content-Length with Transfer-Encoding, a repeated or non-numeric Content-Length, any Transfer-Encoding but
// exactly `chunked` (and any on HTTP/1.0), bare CR or LF, control bytes, folded lines, white space around a header
// name, anything but single spaces in the request line, anything but one Host, malformed targets, everything over
// FramingLimits. An error is final: answer, then close. Bounds: memory grows with what has arrived, up to the limits.
// Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "service/http/code.h"
#include "service/http/request.h"

namespace tokenrelay::http {

struct FramingLimits {
  size_t head_bytes = 16 << 10;  // 431; also bounds the trailer section
  size_t line_bytes = 8 << 10;   // 431; of the request line 414
  size_t path_bytes = 1 << 10;   // 414
  size_t headers = 64;           // 431
  size_t body_bytes = 10 << 20;  // 413, decoded
};

struct FramingError {
  Code code = Code::invalid_request;
  std::string detail;
};

class Framer {
 public:
  enum class State { empty, head, body, complete, failed };

  explicit Framer(const FramingLimits& limits);

  // Takes the bytes of this request and no more; returns how many. Stops when complete or failed.
  size_t feed(std::string_view bytes);

  State state() const;
  bool wants_continue() const { return wants_continue_; }  // Expect: 100-continue, and the body is due

  // When complete: the whole request. When failed: the part that was understood, for the log. `host` is the effective
  // one: the authority of an absolute target replaces the header's value (RFC 9112 3.2.2).
  Request& request() { return request_; }
  const FramingError& error() const { return error_; }

 private:
  enum class Phase { start_line, header, fixed_body, chunk_size, chunk_data, chunk_end, trailer, done, failed };

  size_t feed_line(std::string_view bytes);
  size_t feed_body(std::string_view bytes);
  size_t line_room() const;
  void line_too_long();
  void on_line(std::string_view line);
  void on_start_line(std::string_view line);
  void on_target(std::string_view target);
  void on_origin(std::string_view origin);
  void on_header(std::string_view line);
  void on_head_end();
  void on_chunk_size(std::string_view line);
  void on_trailer(std::string_view line);
  bool read_length(std::string_view text);
  bool read_expectation();
  void read_host();
  void read_connection();
  void fail(Code code, std::string detail);

  const FramingLimits limits_;
  Phase phase_ = Phase::start_line;
  bool cr_ = false;          // the line's CR has arrived
  bool blank_seen_ = false;  // one empty line before the request line is forgiven (RFC 9112 2.2)
  bool wants_continue_ = false;
  size_t section_bytes_ = 0;  // of the head, later of the trailers
  size_t trailers_ = 0;
  uint64_t remaining_ = 0;  // of the body, or of the chunk
  std::string line_;
  std::string authority_;  // of an absolute target
  Request request_;
  FramingError error_;
};

}  // namespace tokenrelay::http
