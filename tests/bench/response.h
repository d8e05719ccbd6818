// Response: one HTTP/1.1 response after another on one connection, as bytes arrive. For servers that are our own
// children, so it is quick rather than strict: status, Content-Length, chunked or up to the
// connection's end, and the body handed on without a copy.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tokenrelay::bench {

class ResponseSink {
 public:
  virtual ~ResponseSink() = default;
  virtual void on_head(int status, std::string_view head) = 0;
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_complete() = 0;  // a clean end by the framing
};

class Response {
 public:
  // False: this is not HTTP.
  bool feed(std::string_view bytes, ResponseSink& sink);
  // The connection ended; false: in the middle of a response.
  bool finish(ResponseSink& sink);

 private:
  enum class State : uint8_t { head, sized, endless, chunk_size, chunk_data, chunk_end, trailer };
  bool take_head(std::string_view& bytes, ResponseSink& sink);
  bool take_line(std::string_view& bytes);  // into line_, without its end; false: more is needed
  void body(std::string_view& bytes, ResponseSink& sink);

  std::string line_;  // an unfinished head or line
  uint64_t left_ = 0;
  State state_ = State::head;
  bool line_done_ = false;
};

}  // namespace tokenrelay::bench
