// The writer's work between commits: it turns tails into segments, deletes their journal rows, erases removed streams
// from every file, drops old tombstones and gives back free pages. In steps of at most about 64 KiB per transaction.
//
// Steps are not synced one by one: the WAL is in order, so the next commit's sync covers them, and a lost step is
// repeated after the next start. Writer thread only.
#pragma once

#include <deque>
#include <vector>

#include "storage/append_queue.h"
#include "storage/checkpointer.h"
#include "storage/database.h"
#include "storage/log_context.h"

namespace tokenrelay::storage {

class Tidy {
 public:
  Tidy(LogContext& context, Database& db, Checkpointer& checkpointer)
      : context_(context), db_(db), checkpointer_(checkpointer) {}
  int prepare();

  void row_written(uint64_t id, size_t bytes);
  void removed(StreamKey key);  // its row is gone; erases the rest later
  void soon() { flush_at_ = Clock::now(); }

  bool due(Clock::time_point now) const { return now >= next(); }
  Clock::time_point next() const;
  void step();
  // How many steps to take right after a commit, so that steady commits do not starve them: more if the journal grows
  // faster than they shrink it.
  size_t arrears(size_t committed_bytes) const;

 private:
  enum class Phase { idle, segments, journal, scrub };
  struct Work {
    StreamKey key;
    Seq target;
  };

  void begin_round();
  void end_round();
  int one_step();
  int write_segments();
  int delete_journal();
  int scrub_segments();
  void await_truncate();
  int forget_truncated();
  int upkeep();
  int transaction(int (Tidy::*body)());
  int insert_chunks();
  int delete_rows();
  int delete_segments();
  int delete_removals();

  LogContext& context_;
  Database& db_;
  Checkpointer& checkpointer_;
  Statement insert_segment_, delete_journal_, find_segments_, delete_segment_, delete_removal_, delete_tombstones_;

  Phase phase_ = Phase::idle;
  std::deque<std::pair<uint64_t, size_t>> rows_;  // of the journal: id and size
  uint64_t journal_bytes_ = 0;
  uint64_t boundary_ = 0;  // the round deletes the journal up to here
  std::vector<Work> work_;
  size_t at_ = 0;
  std::vector<std::pair<StreamKey, size_t>> written_;  // chunks of the step under way
  size_t rows_deleted_ = 0;
  bool scrubbed_all_ = false;
  // Removed streams: their row is gone; this round deletes the rest; then the WAL is emptied.
  std::vector<StreamKey> removed_, scrubbing_, awaiting_;

  Clock::time_point flush_at_ = Clock::time_point::max();
  Clock::time_point scrub_at_ = Clock::time_point::max();
  Clock::time_point truncated_at_ = Clock::time_point::max();  // when to ask whether the WAL was emptied
  Clock::time_point upkeep_at_ = Clock::now();
  Clock::time_point not_before_{};  // after a failure
};

}  // namespace tokenrelay::storage
