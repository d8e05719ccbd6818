// What a log may say of itself, whatever it is made of: which pairs of a state and a time there are.
#pragma once

#include "storage/event_log.h"
#include "tests/support/catch.h"

namespace tokenrelay::storage {

inline LogStatus checked(const LogStatus& status) {
  CAPTURE(static_cast<int>(status.state), status.stalled_ms);
  const bool quick = status.stalled_ms == 0;
  const bool hangs = status.stalled_ms > slow_commit_ms;
  CHECK((status.state == LogState::healthy ? quick || hangs : status.stalled_ms > 0));
  return status;
}

}  // namespace tokenrelay::storage
