// Asks the scheduler to run the calling thread soon after it wakes, for short slices: for a thread that mostly waits
// for a disk while others on its core compute. Its share stays the same, and no privilege is needed. Linux 6.12 and
// later (sched_setattr(2): sched_runtime is the slice of an ordinary thread); no effect elsewhere.
#pragma once

namespace tokenrelay::storage {

void take_short_slices();

}  // namespace tokenrelay::storage
