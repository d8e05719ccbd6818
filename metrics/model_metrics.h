// ModelMetrics: what is counted for one model at one upstream. Metrics::of_model() finds it once for each generation,
// so that a token costs no lookup. It lives as long as its Metrics. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "metrics/tally.h"

namespace tokenrelay::metrics {

enum class Tokens { input, output, cached, reasoning };

// From half a millisecond (a local model's burst) to a minute, after which nobody waits any more. Nanoseconds.
inline constexpr std::array<uint64_t, 16> inter_delta_bounds = {
    500'000,       1'000'000,      2'500'000,      5'000'000,     10'000'000,    25'000'000,
    50'000'000,    100'000'000,    250'000'000,    500'000'000,   1'000'000'000, 2'500'000'000,
    5'000'000'000, 10'000'000'000, 30'000'000'000, 60'000'000'000};
inline constexpr std::array<uint64_t, 16> first_token_bounds = {
    10'000'000,     25'000'000,     50'000'000,     100'000'000,   200'000'000,   350'000'000,
    500'000'000,    750'000'000,    1'000'000'000,  1'500'000'000, 2'500'000'000, 5'000'000'000,
    10'000'000'000, 20'000'000'000, 30'000'000'000, 60'000'000'000};

class ModelMetrics {
 public:
  void inter_delta(double seconds) { inter_delta_.observe(nanoseconds(seconds)); }  // the token path
  void first_token(double seconds) { first_token_.observe(nanoseconds(seconds)); }  // from the generation's start
  void tokens(Tokens kind, uint64_t count) { tokens_[static_cast<size_t>(kind)].add(count); }

 private:
  friend class Metrics;
  static uint64_t nanoseconds(double seconds) { return seconds > 0 ? static_cast<uint64_t>(seconds * 1e9) : 0; }

  Spread<16> inter_delta_{inter_delta_bounds}, first_token_{first_token_bounds};
  std::array<Tally, 4> tokens_;
};

// By model and upstream; the first `most` pairs, then "other" and "other".
class ModelTallies {
 public:
  static constexpr size_t most = 64;
  using Pair = std::pair<std::string, std::string>;

  ModelMetrics& of(std::string model, std::string_view upstream) {
    const std::lock_guard lock(mutex_);
    Pair pair(std::move(model), upstream);
    const auto found = tallies_.find(pair);
    if (found != tallies_.end()) return *found->second;
    if (tallies_.size() >= most) pair = {"other", "other"};
    auto& tally = tallies_[std::move(pair)];
    if (!tally) tally = std::make_unique<ModelMetrics>();
    return *tally;
  }

  template <typename Call>
  void for_each(const Call& call) {
    const std::lock_guard lock(mutex_);
    for (auto& [pair, tally] : tallies_) call(pair.first, pair.second, *tally);
  }

 private:
  std::mutex mutex_;
  std::map<Pair, std::unique_ptr<ModelMetrics>> tallies_;
};

}  // namespace tokenrelay::metrics
