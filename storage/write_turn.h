// Who may change the database file now: the writer for a transaction, or the checkpointer for a RESTART or TRUNCATE.
//
// SQLite has its own lock for this, but waiting for it means polling, and a busy writer would starve the checkpointer.
// Here the checkpointer is next as soon as it asks.
#pragma once

#include <condition_variable>
#include <mutex>

namespace tokenrelay::storage {

class WriteTurn {
 public:
  enum class Who { writer, checkpointer };

  class Held {
   public:
    Held(WriteTurn& turn, Who who) : turn_(turn) { turn_.take(who); }
    ~Held() { turn_.give(); }
    Held(const Held&) = delete;

   private:
    WriteTurn& turn_;
  };

 private:
  void take(Who who) {
    std::unique_lock lock(mutex_);
    if (who == Who::checkpointer) asked_ = true;
    free_.wait(lock, [&] { return !held_ && (who == Who::checkpointer || !asked_); });
    if (who == Who::checkpointer) asked_ = false;
    held_ = true;
  }
  void give() {
    std::lock_guard lock(mutex_);
    held_ = false;
    free_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable free_;
  bool held_ = false;
  bool asked_ = false;
};

}  // namespace tokenrelay::storage
