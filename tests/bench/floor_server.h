// The floor of a fan-out: a process with one epoll loop that does nothing but write() an event's bytes to each of its
// readers, one by one. It looks like the relay to a client: head, verdict, deltas with ids, an end.
#pragma once

#include "tests/bench/served.h"

namespace tokenrelay::bench {

// The process's main: says its port as the relay does, takes readers, and after a POST sends each of them `deltas`
// events at the rate and then the end. It is killed by its parent.
int serve_floor(double per_second, int deltas);

class FloorServer final : public Served {
 public:
  FloorServer(const Setting& setting, double per_second, int deltas);  // this program again; throws
  Endpoint at() const override { return {port_}; }
  pid_t pid() const override { return process_->pid(); }

 private:
  const FreshDirectory directory_;
  std::unique_ptr<support::Process> process_;
  uint16_t port_;
};

}  // namespace tokenrelay::bench
