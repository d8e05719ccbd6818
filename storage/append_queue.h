// The queue from the loop to the writer: what waits to be committed, already in the journal's format.
//
// The loop encodes records straight into the last batch's bytes under a short lock; the writer takes whole batches. One
// batch is one commit and one journal row, so its size is bounded. The caller bounds the whole queue, by
// uncommitted_bytes().
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "storage/event_log.h"

namespace tokenrelay::storage {

using Clock = std::chrono::steady_clock;

struct CreateOp {
  NewStream stream;
  Completion<Created> done;
};

// The size of a stream for retention: its events, plus an estimate for its rows and indexes.
inline uint64_t stored_size(uint64_t event_bytes) {
  return event_bytes + 1024;
}

struct FinishOp {
  StreamKey key = 0;
  Seq seq = 0;
  uint64_t stored_bytes = 0;  // stored_size() of the whole stream
  Ending ending;
};

struct ContinuationOp {
  StreamKey key = 0;
  std::string body;
};

struct RemoveOp {
  std::string stream_id;
  int64_t now_ms = 0;
  Completion<bool> done;
};

struct Batch {
  std::string row;  // an unfinished journal row: room for its head, then records
  size_t events = 0;
  size_t op_bytes = 0;  // held by the operations below
  Clock::time_point first_at;
  std::vector<CreateOp> creates;
  std::vector<ContinuationOp> continuations;
  std::vector<FinishOp> finishes;
  std::vector<RemoveOp> removes;

  size_t waiting_bytes() const;
  size_t operations() const { return creates.size() + continuations.size() + finishes.size() + removes.size(); }
};

class AppendQueue {
 public:
  // Loop thread.
  void append(StreamKey key, Seq first, std::span<const EventView> events);
  void create(CreateOp op);
  void keep(ContinuationOp op);
  void finish(FinishOp op);  // the terminal event goes into the same batch
  void remove(RemoveOp op);
  int64_t lag_ms() const;  // of the oldest entry that is not settled; any thread
  uint64_t uncommitted_bytes() const { return uncommitted_.load(std::memory_order_relaxed); }

  // Writer thread.
  enum class Woken { work, deadline, stop };
  Woken wait(Clock::time_point deadline);  // until there is work, or the deadline, or stop()
  bool pause(Clock::time_point until);     // even if work arrives; true if stop() was called
  std::unique_ptr<Batch> take();           // the oldest batch, or null
  // Ends the waiting of a batch that was taken; `bytes` is its waiting_bytes() at that time.
  void settled(size_t bytes);
  bool holds_finish() const;             // a terminal event waits
  std::vector<CreateOp> take_creates();  // of all waiting batches, to refuse them

  void stop();  // any thread

 private:
  Batch& open_batch(size_t bytes);
  void wake(std::unique_lock<std::mutex>& lock);

  mutable std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::unique_ptr<Batch>> batches_;
  size_t usual_bytes_ = 0;        // size of the last batch's row, reserved for the next one
  bool idle_ = false;             // the writer waits for work, not for a deadline
  Clock::time_point taken_at_{};  // first_at of the writer's batch; epoch: it has none
  bool stop_ = false;
  std::atomic<uint64_t> uncommitted_{0};
};

}  // namespace tokenrelay::storage
