// Deliveries: what commits have to say, on its way from the writer to the loop.
//
// A loop that has no time takes several commits at once, and each stream in them is told its newest end alone: so one
// write to a reader carries what would have been several, and a full machine does less for each token, not more.
// Threads: put() on the writer's, take() on the loop's. Bounds: only the loop gives the writer something to commit, so
// while it does not come to take(), no more can wait than what it had appended before.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "storage/event_log.h"

namespace tokenrelay::storage {

// Of one commit; of several, joined, once it is taken.
struct Delivery {
  std::vector<Durable> durable;
  struct Made {
    Completion<Created> done;
    Result<Created> made;
    uint64_t start_bytes = 0;  // of the start event
  };
  std::vector<Made> created;
  std::vector<std::pair<Completion<bool>, Result<bool>>> removed;
  std::chrono::steady_clock::time_point since = std::chrono::steady_clock::now();  // of the oldest
};

class Deliveries {
 public:
  bool put(Delivery delivery);  // true: nothing waited, so tell the loop
  Delivery take();

 private:
  std::mutex mutex_;
  std::vector<Delivery> waiting_;
};

}  // namespace tokenrelay::storage
