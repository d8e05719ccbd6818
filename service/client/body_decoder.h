// BodyDecoder: undoes the content coding of a body (RFC 9110 8.4): gzip (RFC 1952) and deflate, which is zlib's format
// (RFC 1950) or, as some servers have it, the bare one (RFC 1951).
//
// Promise: it gives its output in pieces of at most 16 KiB, so that whoever takes them decides when to go on; what a
// few bytes unpack to is never held. Views are valid until the next call, of any decoder on this thread. Bounds: zlib's
// 40 KiB. Errors: Kind::bad, from then on. Threads: one at a time.
#pragma once

#include <zlib.h>

#include <string_view>

namespace tokenrelay::client {

class BodyDecoder {
 public:
  enum class Coding { none, gzip, deflate, unknown };
  // Of the value of a Content-Encoding header, in lower case. Words that only say that there is none count as none.
  static Coding coding_of(std::string_view content_encoding);

  enum class Kind { more, bytes, bad };
  struct Piece {
    Kind kind;
    std::string_view bytes;  // never empty for Kind::bytes
  };

  explicit BodyDecoder(Coding coding);  // gzip or deflate
  ~BodyDecoder();
  BodyDecoder(const BodyDecoder&) = delete;

  // The next piece; what it took is removed from the front of `input`. `more`: all of `input` was taken.
  Piece next(std::string_view& input);
  bool whole() const { return state_ != State::inside; }  // the body may end here

 private:
  enum class State { before, inside, after, broken };

  bool begin(std::string_view& input);
  bool unpack(std::string_view& input, size_t& made);

  const Coding coding_;
  State state_ = State::before;
  bool has_more_ = false;  // zlib holds output that did not fit into the last piece
  z_stream zlib_{};
};

}  // namespace tokenrelay::client
