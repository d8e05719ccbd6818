// FakeUpstreamFleet: many paced Chat Completions streams from one epoll thread, for benches. Every POST is answered by
// `deltas` text deltas at `per_second`, then finish, usage and [DONE]. Each delta's text begins with the time of its
// write (tests/support/fleet_delta.h), then spaces up to `delta_bytes`.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "tests/support/fleet_delta.h"
#include "tests/support/tls.h"

namespace tokenrelay::support {

class FakeUpstreamFleet {
 public:
  struct Options {
    int deltas = 300;
    double per_second = 30;     // a stream; 0: as fast as the socket takes them
    size_t delta_bytes = 16;    // of text, at least 16
    bool openai_sized = false;  // chunks of 323 B as OpenAI sends them, instead of about 180
    bool random_phase = true;   // streams that begin together do not tick together
    uint16_t port = 0;          // 0: any
    std::optional<Certificate> tls = {};
  };

  explicit FakeUpstreamFleet(Options options);
  ~FakeUpstreamFleet();
  FakeUpstreamFleet(const FakeUpstreamFleet&) = delete;

  uint16_t port() const;
  std::string base_url() const;
  // From each stream's next delta on.
  void set_per_second(double rate);
  // All streams under way end at the same number of deltas, one more than the longest has had; waits until it is known.
  uint64_t end_together();
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
