// Admission: whether there is room for new work. Running streams continue; only new ones are refused.
//
// Besides the number of streams it measures the process's resident memory (once a second) and how far the log is
// behind, in time and in bytes. Threads: the shard's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "service/relay/options.h"
#include "storage/event_log.h"

namespace tokenrelay::relay {

// Of this process; 0: unknown.
uint64_t resident_bytes();
// Three quarters of the machine's memory, or of the limit of the process's control group.
uint64_t default_memory_bytes();

class Admission {
 public:
  explicit Admission(std::function<uint64_t()> resident = resident_bytes) : resident_(std::move(resident)) {}

  void look() { resident_bytes_ = resident_(); }
  // Why no new stream may begin now.
  std::optional<std::string> refusal(const Options& options, const storage::LogStatus& log) const;

 private:
  std::function<uint64_t()> resident_;
  uint64_t resident_bytes_ = 0;
};

}  // namespace tokenrelay::relay
