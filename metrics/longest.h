// Longest: the largest value of the last minute. Any thread; a mutex held for moments, so not for the token path.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>

namespace tokenrelay::metrics {

class Longest {
 public:
  static constexpr int64_t window_s = 60;

  // now_s: seconds of a monotonic clock.
  void observe(int64_t now_s, double value) {
    const std::lock_guard lock(mutex_);
    Second& second = seconds_[static_cast<size_t>(now_s % window_s)];
    if (second.at_s != now_s) second = {now_s, 0};
    if (value > second.largest) second.largest = value;
  }

  double of_last_minute(int64_t now_s) const {
    const std::lock_guard lock(mutex_);
    double largest = 0;
    for (const Second& second : seconds_) {
      if (now_s - second.at_s < window_s && second.largest > largest) largest = second.largest;
    }
    return largest;
  }

 private:
  struct Second {
    int64_t at_s = -window_s;
    double largest = 0;
  };
  mutable std::mutex mutex_;
  std::array<Second, window_s> seconds_;
};

}  // namespace tokenrelay::metrics
