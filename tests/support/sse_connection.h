// SseConnection: one response that is an event stream, read on the caller's thread. It checks what holds on every
// connection: `resumed` first and without an id, then only events with ids that strictly increase, one JSON object
// each.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/sse_parser.h"

namespace tokenrelay::support {

struct EventId {
  std::string run;
  uint64_t seq = 0;
};
std::optional<EventId> parse_event_id(std::string_view id);  // `[a-z2-7]{10}-N`

class SseConnection {
 public:
  SseConnection(uint16_t port, const Request& request, int receive_buffer = 0);

  // Nothing: the connection ended first, or the deadline passed.
  const std::optional<Head>& head(Deadline deadline = 10s);
  std::optional<SseEvent> next(Deadline deadline = 10s);  // nothing: see end(); timeout may be followed by more
  std::vector<SseEvent> rest(Deadline deadline = 20s);    // everything to the end of the response

  BodyEnd end() const { return http_.end(); }
  const SseParser& parser() const { return parser_; }
  const std::vector<std::string>& problems() const { return problems_; }
  HttpConnection& http() { return http_; }

 private:
  void check(const SseEvent& event);

  HttpConnection http_;
  std::optional<Head> head_;
  SseParser parser_;
  std::deque<SseEvent> ready_;
  uint64_t last_seq_ = 0;
  size_t parser_problems_ = 0;
  bool any_ = false, ended_ = false;
  std::vector<std::string> problems_;
};

// GET of a stream's events, with the cursor in the header where there is one.
Request events_request(const std::string& stream_id, const std::string& cursor = "", const std::string& query = "");

}  // namespace tokenrelay::support
