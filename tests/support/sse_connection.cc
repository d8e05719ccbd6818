#include "tests/support/sse_connection.h"

namespace tokenrelay::support {

std::optional<EventId> parse_event_id(std::string_view id) {
  if (id.size() < 12 || id[10] != '-' || id[11] == '0') return std::nullopt;
  if (id.substr(0, 10).find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") != std::string_view::npos)
    return std::nullopt;
  if (id.substr(11).find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
  return EventId{std::string(id.substr(0, 10)), std::stoull(std::string(id.substr(11)))};
}

SseConnection::SseConnection(uint16_t port, const Request& request, int receive_buffer) : http_(port, receive_buffer) {
  if (http_.open()) http_.send(request);
}

const std::optional<Head>& SseConnection::head(Deadline deadline) {
  if (!head_ && http_.open()) head_ = http_.read_head(deadline);
  return head_;
}

std::optional<SseEvent> SseConnection::next(Deadline deadline) {
  if (!head(deadline) || head_->status != 200) return std::nullopt;
  while (ready_.empty()) {
    std::string bytes;
    const BodyEnd end = http_.read_some(bytes, deadline);
    std::vector<SseEvent> events;
    parser_.feed(bytes, Clock::now(), events);
    for (auto& event : events) {
      check(event);
      ready_.push_back(std::move(event));
    }
    for (; parser_problems_ < parser_.problems().size(); ++parser_problems_) {
      problems_.push_back(parser_.problems()[parser_problems_]);
    }
    if (end == BodyEnd::open) continue;
    if (end == BodyEnd::clean && !ended_) problems_.push_back("a clean end without done");
    if (ready_.empty()) return std::nullopt;
  }
  SseEvent event = std::move(ready_.front());
  ready_.pop_front();
  return event;
}

std::vector<SseEvent> SseConnection::rest(Deadline deadline) {
  std::vector<SseEvent> all;
  while (auto event = next(deadline)) all.push_back(std::move(*event));
  return all;
}

void SseConnection::check(const SseEvent& event) {
  if (ended_) problems_.push_back("an event after done");
  if (!event.json().is_object()) problems_.push_back("data is not a JSON object: " + event.data.substr(0, 80));
  if (!any_ && (event.name != "resumed" || event.id)) problems_.push_back("the first event is not a bare resumed");
  if (any_ && event.name == "resumed") problems_.push_back("a second resumed");
  if (any_) {
    const auto id = parse_event_id(event.id.value_or(""));
    if (!id) {
      problems_.push_back("a bad event id: " + event.id.value_or("(none)"));
    } else {
      if (id->seq <= last_seq_) problems_.push_back("ids do not increase: " + *event.id);
      last_seq_ = id->seq;
    }
  }
  any_ = true;
  ended_ = event.name == "done";
}

Request events_request(const std::string& stream_id, const std::string& cursor, const std::string& query) {
  Request request;
  request.target = "/v1/streams/" + stream_id + "/events" + (query.empty() ? "" : "?" + query);
  request.fields = {{"Accept", "text/event-stream"}};
  if (!cursor.empty()) request.fields.emplace_back("Last-Event-ID", cursor);
  return request;
}

}  // namespace tokenrelay::support
