// FakeUpstreamFleet: many paced Chat Completions streams from one epoll thread, for benches. Every POST is answered by
// `deltas` text deltas at `per_second`, then finish, usage and [DONE]. Each delta's text begins with the time of its
// write: 16 digits, CLOCK_MONOTONIC in microseconds; then spaces up to `delta_bytes`. So latency can be measured in any
// process of the machine (read_stamp).
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace tokenrelay::support {

int64_t monotonic_us();

// The stamp at the start of a delta's text.
std::optional<int64_t> read_stamp(std::string_view text);

class FakeUpstreamFleet {
 public:
  struct Options {
    int deltas = 300;
    double per_second = 30;     // a stream; 0: as fast as the socket takes them
    size_t delta_bytes = 16;    // of text, at least 16
    bool openai_sized = false;  // chunks of 323 B as OpenAI sends them, instead of about 180
    bool random_phase = true;   // streams that begin together do not tick together
    uint16_t port = 0;          // 0: any
  };

  explicit FakeUpstreamFleet(Options options);
  ~FakeUpstreamFleet();
  FakeUpstreamFleet(const FakeUpstreamFleet&) = delete;

  uint16_t port() const;
  std::string base_url() const { return "http://127.0.0.1:" + std::to_string(port()) + "/v1"; }
  uint64_t deltas_sent() const;
  size_t open_connections() const;
  size_t streams_started() const;
  size_t streams_finished() const;
  int64_t worst_lag_us() const;  // how late the fleet itself was with a delta, at most

 private:
  struct State;
  std::unique_ptr<State> state_;
  std::thread thread_;
};

}  // namespace tokenrelay::support
