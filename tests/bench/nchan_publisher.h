// NchanPublisher: a thread that posts deltas to nchan's channel at a rate, each with the time of its write, and then
// [DONE]; one request at a time over one connection.
#pragma once

#include <atomic>
#include <thread>

#include "tests/bench/client.h"

namespace tokenrelay::bench {

class NchanPublisher {
 public:
  NchanPublisher(Endpoint to, double per_second, int deltas);
  ~NchanPublisher();  // stops it
  NchanPublisher(const NchanPublisher&) = delete;

  bool failed() const { return failed_; }  // nchan did not take a message

 private:
  void run(Endpoint to, double per_second, int deltas);

  std::atomic<bool> stopping_{false}, failed_{false};
  std::thread thread_;
};

}  // namespace tokenrelay::bench
