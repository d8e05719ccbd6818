// SseCheck: reads one stream's SSE body and knows whether it was whole. Each delta's text is a time stamp of 16 digits
// (tests/support/fleet_delta.h), so the text of a whole stream is a known number of stamps that only grow: a
// lost, repeated or misplaced delta shows. Understands the relay's events, the upstream's own chunks (from the
// upstream itself, or through a proxy) and nchan's messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bench/response.h"

namespace tokenrelay::bench {

enum class Dialect { relay, chat, nchan };  // nchan: ends with [DONE], but the connection stays

// Where the clients of one kind count what they read while the window is open.
struct Window {
  bool open = false;
  uint64_t deltas = 0, events = 0;
  std::vector<uint32_t> latency_us;  // delta written by the upstream -> read by the client
};

class SseCheck final : public ResponseSink {
 public:
  SseCheck(Dialect dialect, Window& window) : window_(window), dialect_(dialect) {}

  void on_head(int status, std::string_view head) override;
  void on_body(std::string_view bytes) override;
  void on_complete() override { complete_ = true; }

  uint64_t deltas() const { return deltas_; }
  uint64_t events() const { return events_; }
  uint32_t heartbeats() const { return heartbeats_; }
  bool answered() const { return status_ != 0; }
  bool resumed() const { return verdicts_ == 1; }
  bool ended() const { return complete_ || (dialect_ == Dialect::nchan && dones_ > 0); }
  const std::string& last_id() const { return last_id_; }

  // "" or what is wrong with a stream that should have had so many deltas.
  std::string fault(uint64_t expected_deltas) const;

 private:
  void line(std::string_view line);
  void data(std::string_view json);
  void text(std::string_view stamps);
  void id(std::string_view event_id);

  Window& window_;
  std::string rest_;  // an unfinished line
  std::string last_id_;
  const char* fault_ = nullptr;
  int64_t now_us_ = 0, last_stamp_us_ = 0;
  uint64_t deltas_ = 0, events_ = 0, last_seq_ = 0;
  uint32_t heartbeats_ = 0, dones_ = 0, verdicts_ = 0;
  int status_ = 0;
  Dialect dialect_;
  bool named_ = false;  // the block has an `event:` line
  bool complete_ = false;
};

}  // namespace tokenrelay::bench
