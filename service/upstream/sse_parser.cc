#include "service/upstream/sse_parser.h"

#include <cstring>

namespace tokenrelay::upstream {
namespace {

constexpr size_t max_name_bytes = 64;
constexpr size_t kept_capacity = 64 << 10;  // the buffer of a larger event is freed

// Where the line at the start of `bytes` ends, or npos.
size_t line_end(std::string_view bytes) {
  const void* lf = std::memchr(bytes.data(), '\n', bytes.size());
  const size_t lf_at = lf ? static_cast<size_t>(static_cast<const char*>(lf) - bytes.data()) : bytes.size();
  const void* cr = std::memchr(bytes.data(), '\r', lf_at);
  if (cr) return static_cast<size_t>(static_cast<const char*>(cr) - bytes.data());
  return lf ? lf_at : bytes.npos;
}

bool is_field(std::string_view name) {
  return name == "data" || name == "event" || name == "id" || name == "retry" || name == "error";
}

void forget(std::string& buffer) {
  if (buffer.capacity() > kept_capacity) std::string().swap(buffer);
  buffer.clear();
}

}  // namespace

SseParser::Result SseParser::feed(std::string_view bytes) {
  if (skip_lf_ && !bytes.empty()) {
    skip_lf_ = false;
    if (bytes.front() == '\n') bytes.remove_prefix(1);
  }
  while (!bytes.empty()) {
    const size_t end = line_end(bytes);
    const std::string_view part = bytes.substr(0, end);
    if (line_.size() + part.size() + (data_is_view_ ? data_view_.size() : data_.size()) > max_event_bytes_) {
      return Result::too_large;
    }
    if (end == bytes.npos) {
      line_ += part;
      break;
    }
    const bool cr = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    if (cr && bytes.empty()) skip_lf_ = true;
    if (cr && !bytes.empty() && bytes.front() == '\n') bytes.remove_prefix(1);
    Result result;
    if (line_.empty()) {
      result = take_line(part);
    } else {
      line_ += part;
      result = take_line(line_);
      if (result != Result::stopped) forget(line_);
    }
    if (result != Result::more) return result;
  }
  keep_data();
  return Result::more;
}

SseParser::Result SseParser::finish() {
  if (!line_.empty()) {
    std::string line;
    line.swap(line_);
    if (const Result result = take_line(line); result != Result::more) return result;
    keep_data();
  }
  if (const Result result = dispatch_bare(true); result != Result::more) return result;
  return dispatch(true);
}

std::string_view SseParser::strip_bom(std::string_view line) {
  if (first_line_ && line.substr(0, 3) == "\xEF\xBB\xBF") line.remove_prefix(3);
  first_line_ = false;
  return line;
}

SseParser::Result SseParser::take_line(std::string_view line) {
  if (first_line_) line = strip_bom(line);
  const size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon != 0 && !line.empty() && !is_field(name)) return add_bare(line);
  if (!bare_.empty()) {
    if (const Result result = dispatch_bare(); result != Result::more) return result;
  }
  if (line.empty()) return dispatch(false);
  if (colon == 0) return Result::more;
  std::string_view value = colon == line.npos ? std::string_view() : line.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  const Result result = take_field(name, value);
  if (result == Result::more && !line_.empty()) keep_data();  // the view lies in line_, which the caller clears
  return result;
}

SseParser::Result SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") return add_data(value);
  if (name == "event") name_ = value.substr(0, max_name_bytes);
  if (name == "error" && !value.empty()) {
    return sink_.on_event({{}, value, true, false, false}) ? Result::more : Result::stopped;
  }
  return Result::more;
}

// A JSON value may go over several lines, up to the next field, comment or blank line.
SseParser::Result SseParser::add_bare(std::string_view line) {
  const bool is_json = !bare_.empty() || line.front() == '{' || line.front() == '[';
  if (!is_json) return sink_.on_event({{}, line, false, false, true}) ? Result::more : Result::stopped;
  if (bare_.size() + 1 + line.size() > max_event_bytes_) return Result::too_large;
  if (!bare_.empty()) bare_ += '\n';
  bare_ += line;
  return Result::more;
}

SseParser::Result SseParser::dispatch_bare(bool unterminated) {
  if (bare_.empty()) return Result::more;
  std::string bare;  // the sink may destroy the parser
  bare.swap(bare_);
  return sink_.on_event({{}, bare, false, unterminated, true}) ? Result::more : Result::stopped;
}

SseParser::Result SseParser::add_data(std::string_view value) {
  if (!has_data_) {
    has_data_ = data_is_view_ = true;
    data_view_ = value;
    return Result::more;
  }
  keep_data();
  if (data_.size() + 1 + value.size() > max_event_bytes_) return Result::too_large;
  data_ += '\n';
  data_ += value;
  return Result::more;
}

void SseParser::keep_data() {
  if (!data_is_view_) return;
  data_ = data_view_;
  data_is_view_ = false;
}

SseParser::Result SseParser::dispatch(bool unterminated) {
  const std::string_view data = data_is_view_ ? data_view_ : std::string_view(data_);
  if (has_data_ && !data.empty() && !sink_.on_event({name_, data, false, unterminated, false})) return Result::stopped;
  has_data_ = data_is_view_ = false;
  forget(data_);
  name_.clear();
  return Result::more;
}

}  // namespace tokenrelay::upstream
