// Whether the log can commit: written by the writer and the checkpointer, read by the loop.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>

#include "storage/append_queue.h"
#include "storage/event_log.h"

namespace tokenrelay::storage {

// What an SQLite error means for the log: try again (disk full, locked), or append nothing more.
enum class Severity { passing, final };
Severity severity_of(int sqlite_code);

class Health {
 public:
  // `changed` is called on the thread that changed the state, without a lock held.
  explicit Health(std::function<void()> changed) : changed_(std::move(changed)) {}

  void commit_begins();
  void commit_ends();
  void stall(const std::string& reason, Clock::time_point since);
  void recover();
  void fail(const std::string& reason);  // final: nothing leaves this state

  LogState state() const { return state_.load(std::memory_order_acquire); }
  LogStatus status(uint64_t uncommitted_bytes) const;  // any thread

 private:
  void change(LogState to, const std::string& reason, Clock::time_point since);

  std::function<void()> changed_;
  std::atomic<LogState> state_{LogState::healthy};
  mutable std::mutex mutex_;
  std::string reason_;
  Clock::time_point since_{};   // start of the trouble
  Clock::time_point commit_{};  // when the commit under way began; epoch: none
};

}  // namespace tokenrelay::storage
