// Crowd: readers of one kind, with the window in which they count; and a window's length, with what the server and this
// process spent in it.
#pragma once

#include <algorithm>
#include <deque>
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/bench/client.h"
#include "tests/bench/report.h"
#include "tests/bench/served.h"
#include "tests/bench/sse_check.h"

namespace tokenrelay::bench {

struct Crowd {
  // Each sends one of the requests, in turn.
  Crowd(Dialect of, Endpoint at, std::vector<std::string> with) : dialect(of), to(at), requests(std::move(with)) {}

  // In steps of `step` connections in 5 ms: a thousand at once would measure the accept queue.
  void open(Client& client, int count, int step = 50);
  template <typename Has>
  bool all(Has has) const {
    return std::all_of(readers.begin(), readers.end(), has);
  }
  bool all_begun() const {
    return all([](const SseCheck& r) { return r.deltas() > 0 || r.ended(); });
  }
  bool all_ended() const {
    return all([](const SseCheck& r) { return r.ended(); });
  }
  bool any_ended() const {
    return !all([](const SseCheck& r) { return !r.ended(); });
  }
  // Every reader had so many deltas, in order, and an end; else faults in the report.
  void check(const std::string& name, uint64_t deltas, Report& report) const;

  const Dialect dialect;
  const Endpoint to;
  const std::vector<std::string> requests;
  Window window;
  std::deque<SseCheck> readers;
};

struct Measured {
  CpuTimes cpu, driver;
  double seconds = 1;
  double cpu_percent() const { return cpu.total / seconds / 1e4; }
  double driver_percent() const { return driver.total / seconds / 1e4; }
};

// Opens the crowds' windows for so long.
Measured measure(Client& client, const Served& served, std::initializer_list<Crowd*> crowds, double seconds);

// The percentiles of a window as points of a line: milliseconds, per cent.
Report::Curve distribution(Window& window);

}  // namespace tokenrelay::bench
