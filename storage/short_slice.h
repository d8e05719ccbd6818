// Asks the scheduler to let the calling thread run soon after it wakes, for little at a time: for a thread that mostly
// waits for a disk while others on its core compute. It gets no larger share than before, and needs no privilege.
// Linux 6.12 and later (sched_setattr(2): sched_runtime is the slice of an ordinary thread); elsewhere nothing happens.
#pragma once

namespace tokenrelay::storage {

void take_short_slices();

}  // namespace tokenrelay::storage
