// Process: one child, from spawn to wait. Its output goes to files; it dies with the test (SIGKILL) whatever happens.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/deadline.h"

namespace tokenrelay::support {

struct ProcessOptions {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env = {};               // added to the test's own
  std::filesystem::path stdout_file = {}, stderr_file = {};  // appended to
  std::filesystem::path work_dir = {};                       // empty: the test's own
  std::optional<uint64_t> descriptors = {};                  // soft and hard RLIMIT_NOFILE
};

class Process {
 public:
  explicit Process(ProcessOptions options);  // throws if it cannot start
  ~Process();                                // kills and reaps
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool running();  // reaps as a side effect
  void signal(int number);
  std::optional<int> wait(Deadline deadline);  // exit status, or 128 + signal; nothing if it still runs
  void kill_now();                             // SIGKILL, reaped on return

  // /proc figures; 0 once it is gone.
  uint64_t rss_kb() const;
  uint64_t cpu_ms() const;
  size_t descriptors() const;
  size_t threads() const;

 private:
  void reap(bool block);
  pid_t pid_ = -1;
  std::optional<int> status_;
};

// Runs to the end and returns its exit status (or nothing at the deadline) with what it wrote.
struct Ran {
  std::optional<int> status;
  std::string out, err;
};
Ran run_program(std::vector<std::string> argv, Deadline deadline, std::map<std::string, std::string> env = {},
                std::filesystem::path work_dir = {});

}  // namespace tokenrelay::support
