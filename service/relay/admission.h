// Admission: whether there is room for new work. Running streams continue; only new ones are refused.
//
// Besides the number of streams it looks at the memory that the process uses (once a second) and how far the log is
// behind, in time and in bytes. Memory in use is what was allocated: what the allocator keeps of it afterwards would
// refuse work long after its cause has gone. Threads: the shard's loop.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "service/relay/options.h"
#include "storage/event_log.h"

namespace tokenrelay::relay {

// Of this process; 0: unknown.
uint64_t resident_bytes();
// What this process has allocated. It walks the allocator's lists, which may take milliseconds: for a worker.
uint64_t used_bytes();
// Gives back to the system what the allocator keeps, if that is much. For a worker.
void trim_memory();
// Three quarters of the machine's memory, or of the limit of the process's control group.
uint64_t default_memory_bytes();

class Admission {
 public:
  void saw(uint64_t used_bytes) { used_bytes_ = used_bytes; }
  // Why no new stream may begin now.
  std::optional<std::string> refusal(const Options& options, const storage::LogStatus& log) const;

 private:
  uint64_t used_bytes_ = 0;
};

}  // namespace tokenrelay::relay
