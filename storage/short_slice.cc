#include "storage/short_slice.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace tokenrelay::storage {
namespace {

constexpr uint64_t slice_ns = 100'000;  // the shortest that the kernel accepts

// The kernel's struct sched_attr in its first form, which glibc before 2.41 does not declare.
struct Attributes {
  uint32_t size;
  uint32_t policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime, deadline, period;
};

}  // namespace

void take_short_slices() {
#ifdef SYS_sched_setattr
  Attributes now{};
  if (::syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0) return;
  constexpr uint32_t ordinary = 0;     // SCHED_OTHER
  if (now.policy != ordinary) return;  // started with another policy: keep that
  now.size = sizeof now;
  now.runtime = slice_ns;
  ::syscall(SYS_sched_setattr, 0, &now, 0);  // only tuning: a failure changes nothing
#endif
}

}  // namespace tokenrelay::storage
