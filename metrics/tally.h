// Tally and Spread: a counter and a histogram for the token path, gathered in plain integers and folded into the
// registry when somebody scrapes. Any thread may add; a scrape reads each number on its own, so a histogram may be an
// observation ahead of its sum for one scrape. Cost: one relaxed atomic add, two for a Spread.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tokenrelay::metrics {

class Tally {
 public:
  void add(uint64_t n = 1) { value_.fetch_add(n, std::memory_order_relaxed); }
  uint64_t take() { return value_.exchange(0, std::memory_order_relaxed); }  // since the last take

 private:
  std::atomic<uint64_t> value_{0};
};

// A histogram over whole numbers (nanoseconds, events, bytes). A value equal to a bound counts in that bound's bucket.
template <size_t N>
class Spread {
 public:
  explicit Spread(const std::array<uint64_t, N>& upper_bounds) : bounds_(upper_bounds) {}

  void observe(uint64_t value) {
    const auto place = std::lower_bound(bounds_.begin(), bounds_.end(), value) - bounds_.begin();
    counts_[static_cast<size_t>(place)].add();
    sum_.add(value);
  }

  // Counts per bucket (the last one is the bucket without a bound) and the sum, since the last take.
  struct Taken {
    std::vector<double> counts;
    double sum = 0;
  };
  Taken take() {
    Taken taken;
    taken.sum = static_cast<double>(sum_.take());
    for (auto& count : counts_) taken.counts.push_back(static_cast<double>(count.take()));
    return taken;
  }

 private:
  std::array<uint64_t, N> bounds_;
  std::array<Tally, N + 1> counts_;
  Tally sum_;
};

}  // namespace tokenrelay::metrics
