// The event log on SQLite: a journal of group commits, segments, checkpoints on another thread (storage/FORMAT.md).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "storage/event_log.h"

namespace tokenrelay::storage {

enum class SyncLevel { full, normal };  // full: survives power loss. normal: survives a killed process.

struct CommitFigures {
  double seconds;         // from the commit's start to durable
  double waited_seconds;  // from the queueing of the commit's oldest event to durable
  size_t events, bytes;
};

struct SqliteLogOptions {
  std::string directory;  // the log's, or one in which it gets a subdirectory (data_directory.h); locked
  SyncLevel sync = SyncLevel::full;
  uint32_t commit_interval_us = 1000;        // between commits under load; 0..20000
  uint64_t journal_flush_bytes = 64u << 20;  // then tails become segments and their journal rows are deleted
  uint32_t journal_flush_ms = 60'000;
  uint32_t checkpoint_ms = 100;
  uint64_t wal_restart_bytes = 16u << 20;  // above it a RESTART checkpoint follows the PASSIVE one
  uint32_t scrub_ms = 60'000;              // removed streams' bytes leave all files within this time and a flush
  uint64_t reserve_bytes = 4u << 20;       // of a file that is freed when the disk is full, for terminal events
  bool keep_requests = false;              // keep the request after the end
  std::string vfs;                         // SQLite's VFS by name; "" is its default (tests inject faults here)

  std::function<void(std::function<void()>)> post;  // runs a call on the owner's loop thread; called from any thread
  std::function<int64_t()> wall_ms;                 // wall clock
  std::function<void(void*, size_t)> random;        // getrandom
  std::function<RecoveryDecision(const StreamRow&)> recover;  // on open, for each unfinished stream
  std::function<void(StreamRow)> continued;  // on open, for each that continues; its last event is `upstream`
  std::function<void(const CommitFigures&)> on_commit;        // from the writer thread, after each commit; may be empty
  std::function<void(int level, const std::string&)> report;  // 0 info, 1 warning, 2 error; any thread
};

// Opens, locks, migrates and recovers; blocks. Errors: locked (message names the other process's pid), bad_version,
// corrupt, io. `observer` must outlive the log.
Result<std::unique_ptr<EventLog>> open_sqlite_log(SqliteLogOptions options, Observer& observer);

}  // namespace tokenrelay::storage
