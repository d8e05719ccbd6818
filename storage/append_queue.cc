#include "storage/append_queue.h"

#include <algorithm>
#include <utility>

#include "storage/journal.h"

namespace tokenrelay::storage {
namespace {

constexpr size_t batch_bytes = 1 << 20;      // of a journal row; one append may exceed it
constexpr size_t batch_op_bytes = 16 << 20;  // of operations: request bodies, mostly
constexpr size_t usual_bytes = 64 << 10;
constexpr size_t batch_operations = 512;

size_t size_of(const NewStream& s) {
  return s.stream_id.size() + s.owner.size() + s.model.size() + s.provider.size() + s.metadata.size() +
         s.request.size() + s.idempotency_key.size() + s.body_hash.size() + s.start.size();
}

}  // namespace

size_t Batch::waiting_bytes() const {
  return row.size() - journal_head + op_bytes;
}

Batch& AppendQueue::open_batch(size_t bytes) {
  bool full = batches_.empty();
  if (!full) {
    const Batch& last = *batches_.back();
    full = last.row.size() + bytes > batch_bytes || last.op_bytes > batch_op_bytes ||
           last.operations() >= batch_operations;
  }
  if (full) {
    auto batch = std::make_unique<Batch>();
    batch->row.reserve(usual_bytes_);
    batch->row.assign(journal_head, '\0');
    batch->first_at = Clock::now();
    batches_.push_back(std::move(batch));
  }
  return *batches_.back();
}

// Once per wait, and only after the lock is free: else the writer would wake up only to block on it.
void AppendQueue::wake(std::unique_lock<std::mutex>& lock) {
  const bool waiting = std::exchange(idle_, false);
  lock.unlock();
  if (waiting) ready_.notify_one();
}

void AppendQueue::append(StreamKey key, Seq first, std::span<const EventView> events) {
  size_t bytes = record_head;
  for (const auto& e : events) bytes += entry_head + e.payload.size();
  uncommitted_.fetch_add(bytes, std::memory_order_relaxed);
  std::unique_lock lock(mutex_);
  Batch& batch = open_batch(bytes);
  append_record(batch.row, key, first, events);
  batch.events += events.size();
  wake(lock);
}

void AppendQueue::create(CreateOp op) {
  size_t bytes = size_of(op.stream);
  uncommitted_.fetch_add(bytes, std::memory_order_relaxed);
  std::unique_lock lock(mutex_);
  Batch& batch = open_batch(bytes);
  batch.op_bytes += bytes;
  batch.creates.push_back(std::move(op));
  wake(lock);
}

void AppendQueue::keep(ContinuationOp op) {
  const size_t bytes = op.body.size();
  uncommitted_.fetch_add(bytes, std::memory_order_relaxed);
  std::unique_lock lock(mutex_);
  Batch& batch = open_batch(bytes);
  batch.op_bytes += bytes;
  batch.continuations.push_back(std::move(op));
  wake(lock);
}

void AppendQueue::finish(FinishOp op) {
  EventView done{EventKind::done, op.ending.done};
  size_t bytes = record_head + entry_head + done.payload.size();
  uncommitted_.fetch_add(bytes, std::memory_order_relaxed);
  std::unique_lock lock(mutex_);
  Batch& batch = open_batch(bytes);
  append_record(batch.row, op.key, op.seq, {&done, 1});
  ++batch.events;
  batch.finishes.push_back(std::move(op));
  wake(lock);
}

void AppendQueue::remove(RemoveOp op) {
  std::unique_lock lock(mutex_);
  open_batch(0).removes.push_back(std::move(op));
  wake(lock);
}

AppendQueue::Woken AppendQueue::wait(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  idle_ = true;
  bool ready = ready_.wait_until(lock, deadline, [this] { return stop_ || !batches_.empty(); });
  idle_ = false;
  if (!batches_.empty()) return Woken::work;
  return ready ? Woken::stop : Woken::deadline;
}

bool AppendQueue::pause(Clock::time_point until) {
  std::unique_lock lock(mutex_);
  return ready_.wait_until(lock, until, [this] { return stop_; });
}

std::unique_ptr<Batch> AppendQueue::take() {
  std::lock_guard lock(mutex_);
  if (batches_.empty()) return nullptr;
  auto batch = std::move(batches_.front());
  batches_.pop_front();
  usual_bytes_ = std::min(batch->row.size(), usual_bytes);
  taken_at_ = batch->first_at;
  return batch;
}

int64_t AppendQueue::lag_ms() const {
  std::lock_guard lock(mutex_);
  Clock::time_point oldest = taken_at_;
  if (oldest == Clock::time_point{} && !batches_.empty()) oldest = batches_.front()->first_at;
  if (oldest == Clock::time_point{}) return 0;
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - oldest).count();
}

void AppendQueue::settled(size_t bytes) {
  {
    std::lock_guard lock(mutex_);
    taken_at_ = {};
  }
  uncommitted_.fetch_sub(bytes, std::memory_order_relaxed);
}

bool AppendQueue::holds_finish() const {
  std::lock_guard lock(mutex_);
  for (const auto& b : batches_) {
    if (!b->finishes.empty()) return true;
  }
  return false;
}

std::vector<CreateOp> AppendQueue::take_creates() {
  std::lock_guard lock(mutex_);
  std::vector<CreateOp> all;
  for (auto& b : batches_) {
    size_t kept = 0;
    for (const auto& op : b->continuations) kept += op.body.size();
    for (auto& op : b->creates) all.push_back(std::move(op));
    b->creates.clear();
    uncommitted_.fetch_sub(b->op_bytes - kept, std::memory_order_relaxed);
    b->op_bytes = kept;
  }
  return all;
}

void AppendQueue::stop() {
  std::lock_guard lock(mutex_);
  stop_ = true;
  ready_.notify_all();
}

}  // namespace tokenrelay::storage
