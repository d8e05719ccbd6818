// ExpiryClock: the wall time by which streams expire. A wall clock that is set forward, by hand or by NTP after a wrong
// start, makes no stream older: the jump counts only once every stream that ended before it has had its whole time.
// A clock that is set back makes streams stay longer, never shorter. A suspended machine counts as a jump.
//
// Threads: the shard's. Call now_ms() at least once a minute.
#pragma once

#include <algorithm>
#include <cstdint>

namespace tokenrelay::relay {

class ExpiryClock {
 public:
  int64_t now_ms(int64_t wall_ms, int64_t mono_ms, int64_t retention_ms) {
    if (known_) {
      const int64_t jump_ms = (wall_ms - last_wall_ms_) - (mono_ms - last_mono_ms_);
      if (jump_ms > tolerated_ms) {
        withheld_ms_ += jump_ms;
        until_mono_ms_ = mono_ms + retention_ms;
      } else if (jump_ms < -tolerated_ms) {
        withheld_ms_ = std::max<int64_t>(0, withheld_ms_ + jump_ms);  // set right again
      }
    }
    known_ = true;
    last_wall_ms_ = wall_ms;
    last_mono_ms_ = mono_ms;
    if (mono_ms >= until_mono_ms_) withheld_ms_ = 0;
    return wall_ms - withheld_ms_;
  }

 private:
  static constexpr int64_t tolerated_ms = 1'000;  // clocks are steered by less than that in a minute

  bool known_ = false;
  int64_t last_wall_ms_ = 0, last_mono_ms_ = 0;
  int64_t withheld_ms_ = 0, until_mono_ms_ = 0;
};

}  // namespace tokenrelay::relay
