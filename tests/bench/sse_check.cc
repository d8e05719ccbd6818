#include "tests/bench/sse_check.h"

#include <charconv>
#include <cstring>

#include "tests/support/fleet_delta.h"

namespace tokenrelay::bench {
namespace {

using support::stamp_digits;

}  // namespace

void SseCheck::on_head(int status, std::string_view) {
  status_ = status;
}

void SseCheck::on_body(std::string_view bytes) {
  now_us_ = support::monotonic_us();
  while (!bytes.empty()) {
    const auto* const end = static_cast<const char*>(std::memchr(bytes.data(), '\n', bytes.size()));
    if (end == nullptr) {
      rest_ += bytes;
      return;
    }
    const auto size = static_cast<size_t>(end - bytes.data());
    if (rest_.empty()) {
      line(bytes.substr(0, size));
    } else {
      rest_.append(bytes.data(), size);
      line(rest_);
      rest_.clear();
    }
    bytes.remove_prefix(size + 1);
  }
}

void SseCheck::line(std::string_view line) {
  if (line.empty()) {
    named_ = false;
  } else if (line.starts_with("data: ")) {
    data(line.substr(6));
  } else if (line.starts_with("id: ")) {
    id(line.substr(4));
  } else if (line.starts_with("event: ")) {
    named_ = true;
    verdicts_ += line == "event: resumed";
    dones_ += line == "event: done";
  } else if (line == ": hb") {
    ++heartbeats_;
  }
}

void SseCheck::data(std::string_view json) {
  if (dialect_ != Dialect::relay && json == "[DONE]") ++dones_;
  if (named_) return;
  const std::string_view before = dialect_ == Dialect::chat ? "\"content\":\"" : "{\"delta\":\"";
  const size_t at = json.find(before);
  if (at == json.npos) return;
  const size_t from = at + before.size();
  text(json.substr(from, json.find('"', from) - from));
}

void SseCheck::text(std::string_view stamps) {
  ++events_;
  if (window_.open) ++window_.events;
  if (dones_ > 0) fault_ = "text after the end";
  if (stamps.size() % stamp_digits != 0) fault_ = "a delta was split";
  for (; stamps.size() >= stamp_digits; stamps.remove_prefix(stamp_digits)) {
    const int64_t stamp = support::read_stamp(stamps).value_or(0);
    if (stamp < last_stamp_us_) fault_ = "a delta is foreign or out of order";
    last_stamp_us_ = stamp;
    ++deltas_;
    if (!window_.open) continue;
    ++window_.deltas;
    window_.latency_us.push_back(static_cast<uint32_t>(std::max<int64_t>(0, now_us_ - stamp)));
  }
}

void SseCheck::id(std::string_view event_id) {
  if (dialect_ == Dialect::nchan) return;
  uint64_t seq = 0;
  const size_t dash = event_id.find('-');
  if (dash == event_id.npos) {
    fault_ = "a strange event id";
    return;
  }
  std::from_chars(event_id.data() + dash + 1, event_id.data() + event_id.size(), seq);
  if (seq <= last_seq_) fault_ = "an event id that does not increase";
  last_seq_ = seq;
  last_id_ = event_id;
}

std::string SseCheck::fault(uint64_t expected_deltas) const {
  if (fault_ != nullptr) return fault_;
  if (status_ != 200) return "status " + std::to_string(status_);
  if (deltas_ != expected_deltas) return std::to_string(deltas_) + " of " + std::to_string(expected_deltas) + " deltas";
  if (dones_ != 1) return std::to_string(dones_) + " ends";
  if (!ended()) return "no clean end";
  if (dialect_ == Dialect::relay && verdicts_ != 1) return "no verdict";
  return "";
}

}  // namespace tokenrelay::bench
