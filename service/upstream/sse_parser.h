// Parses server-sent events as upstreams really send them (WHATWG HTML 9.2.6, and more liberally): any line ends, split
// anywhere; a BOM; comments; llama.cpp's `error:` lines; bare lines, which are no field at all: JSON on lines of its
// own (an error that a gateway writes into the stream), or a proxy's words.
//
// Promise: an event that arrives whole in one read is not copied. Bounds: an event or a line is at most
// max_event_bytes; for a larger one feed() returns too_large. The sink may destroy the parser inside on_event and must
// then return false.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tokenrelay::upstream {

struct SseEvent {
  std::string_view name;       // "" without one; cut to 64 bytes
  std::string_view data;       // its data lines joined by LF; never empty
  bool is_error_line = false;  // `error: …`: data is what follows
  bool unterminated = false;   // the body ended before its blank line
  bool is_bare = false;        // data is what stands there without a field: one line, or the lines of a JSON value
};

class SseSink {
 public:
  virtual bool on_event(const SseEvent& event) = 0;  // false: stop, the parser may be destroyed
 protected:
  ~SseSink() = default;
};

class SseParser {
 public:
  enum class Result { more, stopped, too_large };

  SseParser(SseSink& sink, size_t max_event_bytes) : sink_(sink), max_event_bytes_(max_event_bytes) {}

  Result feed(std::string_view bytes);
  Result finish();  // the body has ended

 private:
  Result take_line(std::string_view line);  // a whole line, in the input or in line_
  Result take_field(std::string_view name, std::string_view value);
  Result add_bare(std::string_view line);
  Result dispatch_bare(bool unterminated = false);
  Result add_data(std::string_view value);
  Result dispatch(bool unterminated);
  void keep_data();
  std::string_view strip_bom(std::string_view line);

  SseSink& sink_;
  const size_t max_event_bytes_;
  bool has_data_ = false;
  bool data_is_view_ = false;
  bool skip_lf_ = false;  // the last read ended with CR
  bool first_line_ = true;
  std::string_view data_view_;  // the event's data, in the input
  std::string line_;            // the start of a line whose end has not arrived
  std::string name_;
  std::string data_;  // once it cannot stay a view
  std::string bare_;  // the lines so far of a JSON value without a field
};

}  // namespace tokenrelay::upstream
