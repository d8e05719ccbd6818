// Deliveries: the results of commits, on their way from the writer to the loop.
//
// A busy loop takes several commits at once, and each stream in them is told only its newest end. So one write to a
// reader replaces several, and a full machine does less work per token, not more.
// Threads: put() on the writer's, take() on the loop's. Bounds: only the loop gives the writer something to commit, so
// until it calls take(), no more can wait than what it had appended before.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "storage/event_log.h"

namespace tokenrelay::storage {

// The results of one commit, or of several, joined when taken.
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
  bool put(Delivery delivery);  // true: the queue was empty, so wake the loop
  Delivery take();

 private:
  std::mutex mutex_;
  std::vector<Delivery> waiting_;
};

}  // namespace tokenrelay::storage
