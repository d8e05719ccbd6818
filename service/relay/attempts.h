// Attempts: what a generation may still try after a failed call: the same upstream again, then its fallbacks.
//
// To be used before the first delta only, since a second answer differs from the first; the generation checks that.
// Each upstream has its own count of tries and its own time window; the attempt number that readers see continues
// across them. Threads: the shard's.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "service/relay/models.h"
#include "service/relay/options.h"
#include "service/upstream/upstream.h"

namespace tokenrelay::relay {

class Attempts {
 public:
  explicit Attempts(Route route) : first_(std::move(route)) {}

  const Route& route() const { return at_ == 0 ? first_ : first_.fallbacks[at_ - 1]; }  // the one in use
  Upstream& upstream() const { return *route().upstream; }
  const std::string& asked_for() const { return first_.model; }
  uint32_t number() const { return number_; }

  void begin(int64_t now_ms) { begun_ms_ = now_ms; }      // this upstream had a slot: its window starts
  void go_on_from(uint32_t number) { number_ = number; }  // from the last number of another process
  void taken_up() { ++number_; }                          // the call continued over another connection

  // The wait before this upstream is tried again; nullopt: a retry would not help, or its tries or time are used up.
  // What the upstream asks for is waited. Else the first retry comes soon; the others are spread over the time there is
  // if no fallback is left, since a server that starts again takes seconds and more, and come soon if one is. `spread`
  // is random: what failed together does not come back together.
  std::optional<int64_t> again(const upstream::Error& failure, const Options& options, int64_t now_ms, uint32_t spread);

  // Goes to the next fallback; fallen_back(), if its dialect supports the request. False: none is left, or the request
  // itself was the fault.
  bool next_fallback(const upstream::Error& failure);
  void fallen_back();

 private:
  int64_t place_of_retry(const Options& options, int64_t now_ms) const;

  Route first_;
  size_t at_ = 0;  // 0: the first, else a fallback
  uint32_t number_ = 1, tries_ = 1;
  int64_t begun_ms_ = 0;
};

}  // namespace tokenrelay::relay
