// The only thread that changes the log: group commits at intervals, and tidying between them.
#pragma once

#include <memory>
#include <thread>
#include <vector>

#include "storage/append_queue.h"
#include "storage/deliveries.h"
#include "storage/log_context.h"
#include "storage/reserve_file.h"
#include "storage/stream_writes.h"
#include "storage/tidy.h"

namespace tokenrelay::storage {

class Writer {
 public:
  using Deliver = std::function<void(Delivery)>;  // called on the writer thread

  Writer(LogContext& context, AppendQueue& queue, Database db, Checkpointer& checkpointer, Deliver deliver);
  ~Writer() { stop(); }

  void make_room() { reserve_.yield(); }  // before recovery, so that a full disk has room for the terminal events
  int prepare();
  // Where recovery left off. Then start().
  void resume(StreamKey next_key, uint64_t next_row) { next_key_ = next_key, next_row_ = next_row; }
  StreamWrites& writes() { return writes_; }
  Tidy& tidy() { return tidy_; }
  Database& db() { return db_; }
  void start();
  void stop();  // commits what waits, as far as the disk allows

 private:
  struct Outcome {
    std::vector<Result<Created>> created;
    std::vector<Result<Removed>> removed;
    StreamKey next_key = 0;
    Error error;  // where it failed
  };

  void run();
  void tidy_step();
  void bound_wal();
  void commit(std::unique_ptr<Batch> batch);
  int write(Batch& batch, Outcome& outcome);
  int write_operations(Batch& batch, Outcome& outcome);
  int set_sync(SyncLevel level);
  void apply(Batch& batch, Outcome& outcome);
  bool try_again(int rc, const Error& error, Batch& batch, Clock::time_point since);
  bool failed() const;
  void refuse_failed(Batch& batch, size_t waiting_bytes);
  void refuse(Batch& batch, Errc code);
  void refuse_creates(std::vector<CreateOp> creates, Errc code);
  void pace(size_t events, Clock::time_point began);

  LogContext& context_;
  AppendQueue& queue_;
  Database db_;
  Deliver deliver_;
  StreamWrites writes_;
  Tidy tidy_;
  Checkpointer& checkpointer_;
  int wal_frames_ = 0;  // after the last commit, from SQLite's hook
  ReserveFile reserve_;
  SyncLevel sync_now_;

  StreamKey next_key_ = 1;
  uint64_t next_row_ = 1;
  uint64_t commit_number_ = 0;
  Clock::time_point next_commit_{};
  Clock::time_point reserve_at_{};  // when to try to hold the reserve again
  Clock::time_point rate_from_{};
  size_t rate_events_ = 0;
  double events_per_second_ = 0;
  Clock::time_point give_up_ = Clock::time_point::max();  // for stopping while the disk refuses writes
  std::thread thread_;
};

}  // namespace tokenrelay::storage
