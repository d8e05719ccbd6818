#include "service/transport/clock.h"

#include <ctime>

namespace tokenrelay::transport {
namespace {

timespec now(clockid_t id) {
  timespec t{};
  clock_gettime(id, &t);
  return t;
}

class SystemClock final : public Clock {
 public:
  int64_t mono_us() const override {
    timespec t = now(CLOCK_MONOTONIC);
    return int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1'000;
  }
  int64_t wall_ms() const override {
    timespec t = now(CLOCK_REALTIME);
    return int64_t{t.tv_sec} * 1'000 + t.tv_nsec / 1'000'000;
  }
  int64_t coarse_ms() const override {
    timespec t = now(CLOCK_MONOTONIC_COARSE);
    return int64_t{t.tv_sec} * 1'000 + t.tv_nsec / 1'000'000;
  }
};

}  // namespace

const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

}  // namespace tokenrelay::transport
