// Targets: what is asked of the relay, beside what was measured.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/report.h"

namespace tokenrelay::bench {

struct Target {
  std::string what;
  double limit = 0, measured = 0;
  bool at_least = false;  // else at most
  bool met() const { return at_least ? measured >= limit : measured <= limit; }
};

// Those whose modes were run. `sync`: the relay's, on which the target of CPU per token depends.
std::vector<Target> targets_of(const Report& report, const std::string& sync);

// target | measured | met. What was not delivered whole meets nothing.
std::string table_of(const std::vector<Target>& targets, bool whole);

}  // namespace tokenrelay::bench
