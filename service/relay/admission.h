// Admission: whether there is room for new work. What runs keeps running; only what would begin is refused.
//
// Three measures beside the number of streams: the process's resident memory, looked at once a second; how far behind
// the log is, in time and in bytes. Threads: the shard's loop.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "service/relay/options.h"
#include "storage/event_log.h"

namespace tokenrelay::relay {

// Of this process; 0: the system does not say.
uint64_t resident_bytes();
// Three quarters of what the machine has, or of what the process's control group may use.
uint64_t default_memory_bytes();

class Admission {
 public:
  explicit Admission(std::function<uint64_t()> resident = resident_bytes) : resident_(std::move(resident)) {}

  void look() { resident_bytes_ = resident_(); }
  // Why nothing new may begin now.
  std::optional<std::string> refusal(const Options& options, const storage::LogStatus& log) const;

 private:
  std::function<uint64_t()> resident_;
  uint64_t resident_bytes_ = 0;
};

}  // namespace tokenrelay::relay
