// What /proc says of a process, and percentiles.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tokenrelay::bench {

// Nearest rank; 0 of nothing. Sorts its argument.
double percentile(std::vector<uint32_t>& samples, double p);
double median(std::vector<double> values);

// CPU time since the process began, in microseconds. `total` is utime + stime of /proc/PID/stat (in steps of 10 ms):
// all threads, those that have ended included. Threads are in the order in which they began, by
// /proc/PID/task/TID/schedstat.
struct CpuTimes {
  struct OfThread {
    std::string name;
    double us = 0;
  };
  double total = 0;
  std::vector<OfThread> threads;
};
CpuTimes cpu_of(pid_t pid);
CpuTimes cpu_between(const CpuTimes& before, const CpuTimes& after);

// Resident memory in bytes, by /proc/PID/smaps_rollup; `private_dirty` is what it wrote itself. Kernel memory is not in
// it.
struct Memory {
  double rss = 0, private_dirty = 0;
};
Memory memory_of(pid_t pid);

}  // namespace tokenrelay::bench
