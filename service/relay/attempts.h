// Attempts: what a generation may still try after a failed call: the same upstream again, then its fallbacks.
//
// Good before the first delta only (a second answer differs from the first); whether one was appended is the
// generation's to know. Each upstream has its own count of tries and its own window for them; the number that readers
// see counts on. Threads: the shard's.
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

  const Route& route() const { return at_ == 0 ? first_ : first_.fallbacks[at_ - 1]; }  // the one that is asked now
  Upstream& upstream() const { return *route().upstream; }
  const std::string& asked_for() const { return first_.model; }
  uint32_t number() const { return number_; }

  void begin(int64_t now_ms) { begun_ms_ = now_ms; }      // this upstream had a place: its window starts
  void go_on_from(uint32_t number) { number_ = number; }  // as another process left it
  void taken_up() { ++number_; }                          // the call went on over another connection

  // The wait before this upstream is asked again; nullopt: it is not worth it, or was tried often or long enough.
  // `spread` is random.
  std::optional<int64_t> again(const upstream::Error& failure, const Options& options, int64_t now_ms, uint32_t spread);

  // Goes to the next fallback whose dialect can carry the request over, and gives the request its model. False: there
  // is none, or the request is what was wrong.
  bool fall_back(const upstream::Error& failure, upstream::ModelRequest& request);

 private:
  Route first_;
  size_t at_ = 0;  // 0: the first, else a fallback
  uint32_t number_ = 1, tries_ = 1;
  int64_t begun_ms_ = 0;
};

}  // namespace tokenrelay::relay
