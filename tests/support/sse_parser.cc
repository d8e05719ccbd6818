#include "tests/support/sse_parser.h"

namespace tokenrelay::support {

void SseParser::feed(std::string_view bytes, TimePoint at, std::vector<SseEvent>& out) {
  if (first_byte_ && !bytes.empty()) {
    first_byte_ = false;
    if (bytes[0] == '\xef') problem("the stream begins with a BOM");
  }
  for (const char c : bytes) {
    if (c == '\r') problem("a CR in the stream");
    if (c != '\n') {
      line_ += c;
      continue;
    }
    take_line(line_, at, out);
    line_.clear();
  }
}

void SseParser::take_line(std::string_view line, TimePoint at, std::vector<SseEvent>& out) {
  if (line.empty()) {
    if (after_comment_ && fields_ == 0) problem("a comment as a block of its own");
    after_comment_ = false;
    dispatch(at, out);
    return;
  }
  if (line[0] == ':') {
    after_comment_ = true;
    if (line == ": hb") {
      heartbeats_.push_back(at);
    } else {
      problem("a comment that is not a heartbeat: " + std::string(line));
    }
    return;
  }
  after_comment_ = false;
  const auto colon = line.find(':');
  std::string_view value = colon == std::string_view::npos ? "" : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  ++fields_;
  take_field(line.substr(0, colon), value);
}

void SseParser::take_field(std::string_view name, std::string_view value) {
  if (name == "data") {
    ++data_lines_;
    (data_ += value) += '\n';
  } else if (name == "event") {
    name_ = value;
    if (value == "error" || value == "open" || value == "message") problem("a reserved event name");
  } else if (name == "id") {
    if (value.find('\0') == std::string_view::npos) id_ = value, last_event_id_ = value;
    if (value.empty()) problem("an empty id");
  } else if (name == "retry") {
    if (value.empty() || value.find_first_not_of("0123456789") != std::string_view::npos) {
      problem("retry is not a number");
    } else {
      retry_ms_ = std::stoi(std::string(value));
    }
  } else {
    problem("an unknown field: " + std::string(name));
  }
}

void SseParser::dispatch(TimePoint at, std::vector<SseEvent>& out) {
  if (data_lines_ > 0) {
    if (data_lines_ > 1) problem("several data lines in one event");
    data_.pop_back();
    SseEvent event;
    if (!name_.empty()) event.name = name_;
    event.data = std::move(data_);
    event.id = id_;
    event.at = at;
    out.push_back(std::move(event));
  } else if (id_ || !name_.empty()) {
    problem("an id or a name without data");
  }
  name_.clear();
  data_.clear();
  id_.reset();
  data_lines_ = fields_ = 0;
}

}  // namespace tokenrelay::support
