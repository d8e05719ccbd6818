#include "service/relay/admission.h"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <limits>

namespace tokenrelay::relay {
namespace {

constexpr uint64_t kept_bytes = 24 << 20;  // by the allocator, for the next large answer
constexpr uint64_t worth_bytes = 8 << 20;
constexpr uint64_t unlimited = std::numeric_limits<uint64_t>::max();

// The number at the start of a file; `unlimited` if there is none ("max").
uint64_t number_in(const std::string& path) {
  std::ifstream file(path);
  uint64_t value = 0;
  return file >> value ? value : unlimited;
}

// The control group's limit (cgroup v2): the lowest on the path that /proc/self/cgroup names.
uint64_t group_limit() {
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::")) continue;
    uint64_t least = unlimited;
    for (std::string path = line.substr(3); !path.empty(); path.resize(path.rfind('/'))) {
      least = std::min(least, number_in("/sys/fs/cgroup" + (path == "/" ? "" : path) + "/memory.max"));
    }
    return least;
  }
  return unlimited;
}

}  // namespace

uint64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  uint64_t whole = 0, resident = 0;
  if (!(file >> whole >> resident)) return 0;
  return resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t used_bytes() {
  const struct mallinfo2 info = mallinfo2();
  const uint64_t used = info.uordblks + info.hblkhd;
  return used == 0 ? resident_bytes() : used;  // another allocator, as under a sanitizer
}

// What the last trim could not give back is left: a trim holds the allocator's locks.
void trim_memory() {
  static std::atomic<uint64_t> left{0};
  const auto kept = [] {
    const uint64_t resident = resident_bytes(), used = used_bytes();
    return resident > used ? resident - used : 0;
  };
  const uint64_t now = kept();
  left = std::min(left.load(), now);
  if (now < kept_bytes || now < left + worth_bytes) return;
  malloc_trim(0);
  left = kept();
}

uint64_t default_memory_bytes() {
  const auto machine = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return std::min(machine, group_limit()) / 4 * 3;
}

std::optional<std::string> Admission::refusal(const Options& options, const storage::LogStatus& log) const {
  if (options.memory_bytes > 0 && used_bytes_ > options.memory_bytes) return "the relay is short of memory";
  if (log.lag_ms > options.commit_lag_ms) return "the event log is too slow at the moment";
  if (log.uncommitted_bytes > options.uncommitted_bytes / 2) return "too many events are waiting for the event log";
  return std::nullopt;
}

}  // namespace tokenrelay::relay
