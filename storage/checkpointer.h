// Moves the WAL into the database on a thread of its own, so that commits do not wait for it.
//
// PASSIVE every checkpoint_ms; while the WAL is over wal_restart_bytes a RESTART straight after it, since with PASSIVE
// alone the WAL never starts over under steady writing. TRUNCATE on request, when removed bytes must leave the file.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "storage/database.h"
#include "storage/log_context.h"

namespace tokenrelay::storage {

inline constexpr uint64_t frame_bytes = 4096 + 24;  // of the WAL: a page and its head

class Checkpointer {
 public:
  Checkpointer(LogContext& context, Database db) : context_(context), db_(std::move(db)) {}
  ~Checkpointer() { stop(); }

  void start();
  void stop();

  // Asks to empty the WAL; truncated() tells whether this was done since the last request.
  void request_truncate();
  bool truncated() const;

  // For a writer that fills the WAL faster than it is moved: waits for one whole checkpoint, at most a second.
  void make_room();

 private:
  void run();
  void tick(bool truncate);
  int checkpoint(int mode, int& frames);
  void note(int rc);
  void measure();

  LogContext& context_;
  Database db_;
  mutable std::mutex mutex_;
  std::condition_variable wake_, ticked_;
  bool stop_ = false;
  bool truncate_ = false;
  bool truncated_ = false;
  bool hurry_ = false;
  uint64_t ticks_ = 0;
  std::thread thread_;
};

}  // namespace tokenrelay::storage
