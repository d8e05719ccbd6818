#include "storage/health.h"

#include <sqlite3.h>

#include <algorithm>

namespace tokenrelay::storage {
namespace {

int64_t ms_since(Clock::time_point t) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - t).count();
}

}  // namespace

Severity severity_of(int code) {
  switch (code) {
    case SQLITE_IOERR_WRITE:  // a quota, or a device that may return: nothing was acknowledged, so try again
    case SQLITE_IOERR_SHMSIZE:
    case SQLITE_IOERR_SHMMAP:
    case SQLITE_IOERR_SHMLOCK:
    case SQLITE_IOERR_LOCK:
    case SQLITE_IOERR_NOMEM:
      return Severity::passing;
    default:
      break;
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
      return Severity::passing;
    default:
      return Severity::final;
  }
}

void Health::commit_begins() {
  std::lock_guard lock(mutex_);
  commit_ = Clock::now();
}

void Health::commit_ends() {
  std::lock_guard lock(mutex_);
  commit_ = {};
}

void Health::stall(const std::string& reason, Clock::time_point since) {
  change(LogState::stalled, reason, since);
}

void Health::recover() {
  change(LogState::healthy, "", {});
}

void Health::fail(const std::string& reason) {
  change(LogState::failed, reason, Clock::now());
}

void Health::change(LogState to, const std::string& reason, Clock::time_point since) {
  {
    std::lock_guard lock(mutex_);
    LogState from = state_.load(std::memory_order_relaxed);
    if (from == LogState::failed || from == to) return;
    reason_ = reason;
    since_ = since;
    state_.store(to, std::memory_order_release);
  }
  changed_();
}

LogStatus Health::status(uint64_t uncommitted_bytes) const {
  std::lock_guard lock(mutex_);
  LogStatus s;
  s.state = state_.load(std::memory_order_relaxed);
  s.reason = reason_;
  s.uncommitted_bytes = uncommitted_bytes;
  if (s.state != LogState::healthy) {
    s.stalled_ms = std::max<int64_t>(1, ms_since(since_));
  } else if (commit_ != Clock::time_point{} && ms_since(commit_) > slow_commit_ms) {
    // The disk neither completes the commit nor fails it.
    s.reason = "a commit does not return";
    s.stalled_ms = ms_since(commit_);
  }
  return s;
}

}  // namespace tokenrelay::storage
