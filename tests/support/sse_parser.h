// SseParser: "Server-sent events" as WHATWG HTML says a client must read them, which besides notes everything that the
// contract forbids a server to send although clients would bear it (CR, a BOM, several data lines, an id without data).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/http_connection.h"

namespace tokenrelay::support {

struct SseEvent {
  std::string name = "message";  // as dispatched
  std::string data;
  std::optional<std::string> id;  // the id line of this block
  TimePoint at{};                 // when its last byte arrived
  int connection = 0;             // which connection of a reader brought it
  Json json() const { return Json::parse(data, nullptr, false); }
};

class SseParser {
 public:
  void feed(std::string_view bytes, TimePoint at, std::vector<SseEvent>& out);

  const std::string& last_event_id() const { return last_event_id_; }
  std::optional<int> retry_ms() const { return retry_ms_; }
  const std::vector<TimePoint>& heartbeats() const { return heartbeats_; }
  const std::vector<std::string>& problems() const { return problems_; }
  bool mid_block() const { return !line_.empty() || fields_ > 0; }

 private:
  void take_line(std::string_view line, TimePoint at, std::vector<SseEvent>& out);
  void take_field(std::string_view name, std::string_view value);
  void dispatch(TimePoint at, std::vector<SseEvent>& out);
  void problem(const std::string& what) { problems_.push_back(what); }

  std::string line_, last_event_id_, name_, data_;
  std::optional<std::string> id_;
  int data_lines_ = 0, fields_ = 0;
  bool first_byte_ = true, after_comment_ = false;
  std::optional<int> retry_ms_;
  std::vector<TimePoint> heartbeats_;
  std::vector<std::string> problems_;
};

}  // namespace tokenrelay::support
