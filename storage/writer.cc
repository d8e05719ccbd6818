#include "storage/writer.h"

#include <algorithm>

#include "storage/journal.h"
#include "storage/short_slice.h"

namespace tokenrelay::storage {
namespace {

using std::chrono::milliseconds;

// A sync costs the same whatever its size: the more events per second, the longer the interval.
constexpr double busy_rate = 20'000;  // events per second from which commits keep busy_interval
constexpr auto busy_interval = milliseconds(2);
constexpr double full_rate = 45'000;  // about what a core can do; then saving its time matters more than a shorter wait
constexpr auto full_interval = milliseconds(3);
constexpr auto rate_window = milliseconds(50);
constexpr auto stall_after = milliseconds(250);  // of failures: a lock held briefly is not a stall
constexpr auto give_up_after = milliseconds(1000);

double seconds(Clock::duration d) {
  return std::chrono::duration<double>(d).count();
}

}  // namespace

Writer::Writer(LogContext& context, AppendQueue& queue, Database db, Checkpointer& checkpointer, Deliver deliver)
    : context_(context),
      queue_(queue),
      db_(std::move(db)),
      deliver_(std::move(deliver)),
      writes_(context.options.random, context.options.keep_requests),
      tidy_(context, db_, checkpointer),
      checkpointer_(checkpointer),
      reserve_(context.options.directory + "/reserve", context.options.reserve_bytes),
      sync_now_(SyncLevel::full) {}

int Writer::prepare() {
  auto note = [](void* frames, sqlite3*, const char*, int now) {
    *static_cast<int*>(frames) = now;
    return SQLITE_OK;
  };
  sqlite3_wal_hook(db_.handle(), note, &wal_frames_);
  int rc = writes_.prepare(db_);
  return rc == SQLITE_OK ? tidy_.prepare() : rc;
}

void Writer::start() {
  reserve_.hold();
  thread_ = std::thread([this] { run(); });
}

void Writer::stop() {
  queue_.stop();
  if (thread_.joinable()) thread_.join();
}

void Writer::run() {
  take_short_slices();  // else after each wait for the disk it waits for the busy loop
  for (;;) {
    auto woken = queue_.wait(failed() ? Clock::now() + milliseconds(100) : tidy_.next());
    if (woken == AppendQueue::Woken::stop) return;
    if (failed()) {
      if (auto batch = queue_.take()) refuse_failed(*batch, batch->waiting_bytes());
      continue;
    }
    if (woken == AppendQueue::Woken::work) {
      while (!failed() && tidy_.due(Clock::now()) && Clock::now() < next_commit_) tidy_step();
      queue_.pause(next_commit_);
    }
    bound_wal();
    if (auto batch = queue_.take()) {
      const size_t bytes = batch->row.size();
      commit(std::move(batch));
      for (size_t steps = tidy_.arrears(bytes); steps > 0; --steps) tidy_step();
    } else if (tidy_.due(Clock::now())) {
      tidy_step();
    }
  }
}

// A WAL of four times the size at which it should start over means that the disk does not keep up: then writing waits.
void Writer::bound_wal() {
  if (static_cast<uint64_t>(wal_frames_) * frame_bytes <= 4 * context_.options.wal_restart_bytes) return;
  checkpointer_.make_room();
  wal_frames_ = 0;  // the hook sets the real value at the next commit
}

bool Writer::failed() const {
  return context_.health.state() == LogState::failed;
}

void Writer::tidy_step() {
  if (failed()) return;
  static_cast<void>(set_sync(SyncLevel::normal));  // refused: it syncs more often than it must
  tidy_.step();
}

void Writer::commit(std::unique_ptr<Batch> batch) {
  const size_t row_bytes = batch->row.size();
  const size_t waiting = batch->waiting_bytes();
  const auto began = Clock::now();
  for (;;) {
    // Tidying or a checkpoint may have met a failed sync a moment ago. The kernel tells of it once: this commit's own
    // sync could succeed, and what it calls durable would lie behind a hole.
    if (failed()) return refuse_failed(*batch, waiting);
    Outcome outcome;
    const auto tried = Clock::now();
    context_.health.commit_begins();
    int rc = write(*batch, outcome);
    context_.health.commit_ends();
    if (rc == SQLITE_OK && failed()) continue;
    if (rc == SQLITE_OK) {
      const auto ended = Clock::now();
      queue_.settled(waiting);
      context_.health.recover();
      if (context_.options.on_commit && batch->row.size() > journal_head) {
        context_.options.on_commit({seconds(ended - tried), seconds(ended - batch->first_at),
                                    batch->events + batch->creates.size(), batch->row.size() - journal_head});
      }
      apply(*batch, outcome);
      pace(batch->events, tried);
      return;
    }
    batch->row.resize(row_bytes);
    if (!try_again(rc, outcome.error, *batch, began)) {
      queue_.settled(waiting);
      return;
    }
  }
}

int Writer::set_sync(SyncLevel level) {
  if (context_.options.sync == SyncLevel::normal) level = SyncLevel::normal;
  if (level == sync_now_) return SQLITE_OK;
  int rc = db_.exec(level == SyncLevel::full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  if (rc == SQLITE_OK) sync_now_ = level;
  return rc;
}

int Writer::write(Batch& batch, Outcome& outcome) {
  WriteTurn::Held turn(context_.turn, WriteTurn::Who::writer);
  int rc = set_sync(SyncLevel::full);
  if (rc == SQLITE_OK) rc = db_.exec("BEGIN IMMEDIATE");
  if (rc == SQLITE_OK) rc = write_operations(batch, outcome);
  if (rc == SQLITE_OK && batch.row.size() > journal_head) {
    seal_row(batch.row, next_row_);
    rc = writes_.journal(next_row_, batch.row);
  }
  if (rc == SQLITE_OK) rc = db_.exec("COMMIT");
  if (rc != SQLITE_OK) {
    outcome.error = db_.error(rc, "commit");
    db_.rollback();
  }
  return rc;
}

int Writer::write_operations(Batch& batch, Outcome& outcome) {
  int rc = SQLITE_OK;
  for (size_t i = 0; rc == SQLITE_OK && i < batch.continuations.size(); ++i) rc = writes_.keep(batch.continuations[i]);
  for (size_t i = 0; rc == SQLITE_OK && i < batch.finishes.size(); ++i) rc = writes_.finish(batch.finishes[i]);
  for (size_t i = 0; rc == SQLITE_OK && i < batch.removes.size(); ++i) {
    rc = writes_.remove(batch.removes[i], outcome.removed.emplace_back());
  }
  outcome.next_key = next_key_;
  for (size_t i = 0; rc == SQLITE_OK && i < batch.creates.size(); ++i) {
    rc = writes_.create(batch.creates[i].stream, outcome.next_key, batch.row, outcome.created.emplace_back());
  }
  return rc;
}

void Writer::apply(Batch& batch, Outcome& outcome) {
  Delivery delivery;
  next_key_ = outcome.next_key;
  for (size_t i = 0; i < batch.creates.size(); ++i) {
    auto& made = outcome.created[i];
    if (made && !made->existing) context_.tails.open(made->key, 0);
    delivery.created.push_back(
        {std::move(batch.creates[i].done), std::move(made), entry_head + batch.creates[i].stream.start.size()});
  }
  Figures& figures = context_.figures;
  if (batch.row.size() > journal_head) {
    delivery.durable.reserve(batch.events);
    context_.tails.commit(std::string_view(batch.row).substr(journal_head), ++commit_number_, delivery.durable);
    tidy_.row_written(next_row_++, batch.row.size());
    figures.commits.fetch_add(1, std::memory_order_relaxed);
    figures.commit_events.fetch_add(batch.events + batch.creates.size(), std::memory_order_relaxed);
    figures.commit_bytes.fetch_add(batch.row.size(), std::memory_order_relaxed);
  }
  for (const auto& f : batch.finishes) {
    context_.tails.finish(f.key);
    figures.stored_bytes.fetch_add(f.stored_bytes, std::memory_order_relaxed);
  }
  for (size_t i = 0; i < batch.removes.size(); ++i) {
    const auto& removed = outcome.removed[i];
    if (removed) {
      context_.tails.forget(removed->key);
      tidy_.removed(removed->key);
      figures.stored_bytes.fetch_sub(removed->stored_bytes, std::memory_order_relaxed);
    }
    delivery.removed.emplace_back(std::move(batch.removes[i].done),
                                  removed ? Result<bool>(true) : tl::unexpected(removed.error()));
  }
  deliver_(std::move(delivery));
}

bool Writer::try_again(int rc, const Error& error, Batch& batch, Clock::time_point since) {
  const auto now = Clock::now();
  if (severity_of(rc) == Severity::final) {
    if (rc == SQLITE_IOERR_FSYNC) context_.figures.syncs_failed.fetch_add(1, std::memory_order_relaxed);
    context_.report(2, error.message);
    context_.health.fail(error.message);
    refuse(batch, Errc::log_failed);
    return false;
  }
  const bool full = (rc & 0xff) == SQLITE_FULL;
  // The reserve is for terminal events: release it only once one is waiting, even behind other work.
  if (full && (!batch.finishes.empty() || queue_.holds_finish()) && reserve_.release()) {
    context_.report(1, "the disk is full: using the reserved space to end the running streams");
    return true;
  }
  const bool stalled = now - since > stall_after;
  if (stalled) {
    if (context_.health.state() == LogState::healthy) context_.report(1, error.message);
    context_.health.stall(error.message, since);
    refuse_creates(std::exchange(batch.creates, {}), Errc::log_stalled);
    refuse_creates(queue_.take_creates(), Errc::log_stalled);
  }
  const bool stopping = queue_.pause(now + (stalled ? milliseconds(50) : milliseconds(1)));
  if (!stopping) return true;
  if (give_up_ == Clock::time_point::max()) give_up_ = now + give_up_after;
  if (now < give_up_) {
    std::this_thread::sleep_for(milliseconds(5));
    return true;
  }
  context_.report(2, "closing with events that could not be committed: " + error.message);
  refuse(batch, Errc::log_stalled);
  return false;
}

void Writer::refuse_failed(Batch& batch, size_t waiting_bytes) {
  queue_.settled(waiting_bytes);
  refuse(batch, Errc::log_failed);
}

void Writer::refuse(Batch& batch, Errc code) {
  refuse_creates(std::move(batch.creates), code);
  Delivery delivery;
  for (auto& op : batch.removes) {
    delivery.removed.emplace_back(std::move(op.done), tl::unexpected(Error{code, "the log cannot commit"}));
  }
  if (!delivery.removed.empty()) deliver_(std::move(delivery));
}

void Writer::refuse_creates(std::vector<CreateOp> creates, Errc code) {
  if (creates.empty()) return;
  Delivery delivery;
  for (auto& op : creates) {
    delivery.created.push_back({std::move(op.done), tl::unexpected(Error{code, "the log cannot commit"})});
  }
  deliver_(std::move(delivery));
}

void Writer::pace(size_t events, Clock::time_point began) {
  const auto now = Clock::now();
  rate_events_ += events;
  if (now - rate_from_ >= rate_window) {
    events_per_second_ = static_cast<double>(rate_events_) / seconds(now - rate_from_);
    rate_from_ = now;
    rate_events_ = 0;
  }
  Clock::duration interval = std::chrono::microseconds(context_.options.commit_interval_us);
  if (events_per_second_ > busy_rate && interval > Clock::duration::zero()) {
    interval = std::max<Clock::duration>(interval, events_per_second_ > full_rate ? full_interval : busy_interval);
  }
  next_commit_ = began + interval;
  if (!reserve_.held() && now >= reserve_at_) {
    reserve_at_ = now + std::chrono::seconds(1);
    reserve_.hold();
  }
}

}  // namespace tokenrelay::storage
