#include "storage/checkpointer.h"

#include <sys/stat.h>

namespace tokenrelay::storage {
namespace {

uint64_t file_size(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 ? static_cast<uint64_t>(st.st_size) : 0;
}

}  // namespace

void Checkpointer::start() {
  measure();
  thread_ = std::thread([this] { run(); });
}

void Checkpointer::stop() {
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    wake_.notify_all();
    ticked_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Checkpointer::request_truncate() {
  std::lock_guard lock(mutex_);
  truncate_ = true;
  truncated_ = false;
  wake_.notify_all();
}

bool Checkpointer::truncated() const {
  std::lock_guard lock(mutex_);
  return truncated_;
}

void Checkpointer::make_room() {
  std::unique_lock lock(mutex_);
  hurry_ = true;
  wake_.notify_all();
  // Two, since the one under way began before this writer's last frames.
  ticked_.wait_for(lock, std::chrono::seconds(1), [this, from = ticks_] { return stop_ || ticks_ >= from + 2; });
  hurry_ = false;
}

void Checkpointer::run() {
  const auto every = std::chrono::milliseconds(context_.options.checkpoint_ms);
  auto next = Clock::now() + every;
  for (;;) {
    bool truncate, last;
    {
      std::unique_lock lock(mutex_);
      wake_.wait_until(lock, next, [this] { return stop_ || hurry_; });
      last = stop_;
      truncate = truncate_ || last;  // a stopped relay leaves no WAL, in which deleted bytes would survive
    }
    tick(truncate);
    if (last) return;
    {
      std::lock_guard lock(mutex_);
      ++ticks_;
      ticked_.notify_all();
    }
    next = Clock::now() + every;
  }
}

void Checkpointer::tick(bool truncate) {
  // After a failed sync nothing may be moved: the WAL's content on the disk is unknown.
  if (context_.health.state() == LogState::failed) return;
  int frames = 0;
  int rc = checkpoint(SQLITE_CHECKPOINT_PASSIVE, frames);
  if (rc == SQLITE_OK && truncate) {
    WriteTurn::Held turn(context_.turn, WriteTurn::Who::checkpointer);
    rc = checkpoint(SQLITE_CHECKPOINT_TRUNCATE, frames);
    if (rc == SQLITE_OK) {
      std::lock_guard lock(mutex_);
      truncate_ = false;
      truncated_ = true;
    }
  } else if (rc == SQLITE_OK && static_cast<uint64_t>(frames) * frame_bytes > context_.options.wal_restart_bytes) {
    WriteTurn::Held turn(context_.turn, WriteTurn::Who::checkpointer);
    rc = checkpoint(SQLITE_CHECKPOINT_RESTART, frames);
  }
  note(rc);
  measure();
}

int Checkpointer::checkpoint(int mode, int& frames) {
  int done = 0;
  // RESTART and TRUNCATE need readers to finish, which is soon; after BUSY the next tick tries again.
  sqlite3_busy_timeout(db_.handle(), mode == SQLITE_CHECKPOINT_PASSIVE ? 0 : 20);
  int rc = sqlite3_wal_checkpoint_v2(db_.handle(), nullptr, mode, &frames, &done);
  if (rc == SQLITE_OK) context_.figures.checkpoints.fetch_add(1, std::memory_order_relaxed);
  return rc;
}

void Checkpointer::note(int rc) {
  if (rc == SQLITE_OK || severity_of(rc) == Severity::passing) return;
  Error error = db_.error(rc, "checkpoint");
  if (rc == SQLITE_IOERR_FSYNC) context_.figures.syncs_failed.fetch_add(1, std::memory_order_relaxed);
  context_.report(2, error.message);
  context_.health.fail(error.message);
}

void Checkpointer::measure() {
  context_.figures.wal_bytes.store(file_size(context_.path() + "-wal"), std::memory_order_relaxed);
  context_.figures.database_bytes.store(file_size(context_.path()), std::memory_order_relaxed);
}

}  // namespace tokenrelay::storage
