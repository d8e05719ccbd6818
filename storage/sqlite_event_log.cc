#include "storage/sqlite_event_log.h"

#include <unistd.h>

#include <cassert>
#include <thread>

#include "storage/checkpointer.h"
#include "storage/data_directory.h"
#include "storage/directory_lock.h"
#include "storage/journal.h"
#include "storage/reader.h"
#include "storage/recovery.h"
#include "storage/schema.h"
#include "storage/segment.h"
#include "storage/writer.h"

namespace tokenrelay::storage {
namespace {

constexpr int reader_threads = 2;
constexpr int open_wait_ms = 2000;  // for a lock that a backup or an operator holds briefly

class SqliteEventLog final : public EventLog {
 public:
  SqliteEventLog(SqliteLogOptions options, Observer& observer, DirectoryLock lock)
      : observer_(observer),
        lock_(std::move(lock)),
        context_(std::move(options), gate_, [this] { context_.outbox.send([this] { observer_.on_log_state(); }); }) {}
  ~SqliteEventLog() override {
    close();
    gate_->open = false;
  }

  Result<void> open();

  void create(NewStream stream, Completion<Created> done) override;
  void append(StreamKey key, Seq first, std::span<const EventView> events) override;
  void keep_continuation(StreamKey key, std::string continuation) override;
  void finish(StreamKey key, Seq seq, Ending ending) override;
  void read(StreamKey key, Seq after, size_t max_bytes, Completion<std::shared_ptr<const Block>> done) override;
  void find(std::string stream_id, Completion<StreamRow> done) override;
  void find_run(std::string run_token, Completion<StreamRow> done) override;
  void find_key(std::string idempotency_key, Completion<StreamRow> done) override;
  void list(std::string owner, std::optional<StreamKey> before, PageLimits limits, Completion<Page> done) override;
  void request(StreamKey key, Completion<std::string> done) override;
  void remove(std::string stream_id, int64_t now_ms, Completion<bool> done) override;
  void expired(int64_t finished_before_ms, uint64_t max_bytes, size_t limit,
               Completion<std::vector<StreamRow>> done) override;
  LogStatus status() const override {
    LogStatus status = context_.health.status(queue_.uncommitted_bytes());
    status.lag_ms = queue_.lag_ms();
    return status;
  }
  uint64_t uncommitted_bytes() const override { return queue_.uncommitted_bytes(); }
  LogFigures figures() const override;
  void close() override;

 private:
  // Everything but the completions of its threads happens on one thread: that of the first call.
  bool on_owner_thread() {
    if (owner_ == std::thread::id{}) owner_ = std::this_thread::get_id();
    return owner_ == std::this_thread::get_id();
  }
  Result<void> configure(Database& db);
  void deliver();

  // Runs `ask` on a reader thread and brings its answer back to the loop.
  template <typename T, typename Ask>
  void ask(Completion<T> done, Ask question) {
    auto call = std::make_shared<Completion<T>>(std::move(done));
    reader_.submit([this, call, question = std::move(question)](ReadSession& session) mutable {
      context_.outbox.complete(std::move(*call), question(session));
    });
  }

  std::thread::id owner_;
  Observer& observer_;
  DirectoryLock lock_;
  std::shared_ptr<Gate> gate_ = std::make_shared<Gate>();
  LogContext context_;
  AppendQueue queue_;
  Deliveries deliveries_;
  Reader reader_{context_};
  std::unique_ptr<Checkpointer> checkpointer_;
  std::unique_ptr<Writer> writer_;
  KeyTable<OpenStream> open_;  // loop thread
  bool closed_ = false;
};

// SQLite gives the WAL and its index the mode of the database, so only this file is created here.
Result<void> make_file(const std::string& path) {
  for (const char* other : {"-wal", "-shm"}) {
    if (auto checked = check_private_file(path + other); !checked) return checked;
  }
  const auto fd = open_private_file(path);
  if (!fd) return tl::unexpected(fd.error());
  ::close(*fd);
  return {};
}

Result<void> SqliteEventLog::configure(Database& db) {
  if (auto ready = prepare_schema(db); !ready) return ready;
  std::string pragmas =
      "PRAGMA wal_autocheckpoint=0; PRAGMA secure_delete=ON; PRAGMA synchronous=FULL; PRAGMA temp_store=MEMORY;"
      "PRAGMA cache_size=-4096; PRAGMA journal_size_limit=" +
      std::to_string(2 * context_.options.wal_restart_bytes);
  int rc = db.exec(pragmas.c_str());
  if (rc != SQLITE_OK) return tl::unexpected(db.error(rc, "configure the database"));
  return {};
}

Result<void> SqliteEventLog::open() {
  const auto& o = context_.options;
  if (auto made = make_file(context_.path()); !made) return made;
  auto db = Database::open(context_.path(), Database::Mode::write, o.vfs);
  if (!db) return tl::unexpected(db.error());
  sqlite3_busy_timeout(db->handle(), open_wait_ms);
  if (auto ready = configure(*db); !ready) return ready;
  auto checkpoints = Database::open(context_.path(), Database::Mode::write, o.vfs);
  if (!checkpoints) return tl::unexpected(checkpoints.error());
  int rc = checkpoints->exec(o.sync == SyncLevel::full ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
  if (rc != SQLITE_OK) return tl::unexpected(checkpoints->error(rc, "configure the database"));
  checkpointer_ = std::make_unique<Checkpointer>(context_, std::move(*checkpoints));
  writer_ = std::make_unique<Writer>(context_, queue_, std::move(*db), *checkpointer_, [this](Delivery delivery) {
    if (deliveries_.put(std::move(delivery))) context_.outbox.send([this] { deliver(); });
  });
  writer_->make_room();
  if (rc = writer_->prepare(); rc != SQLITE_OK) return tl::unexpected(writer_->db().error(rc, "prepare to write"));
  auto recovered = Recovery(context_, writer_->db(), writer_->writes(), writer_->tidy()).run();
  if (!recovered) return tl::unexpected(recovered.error());
  sqlite3_busy_timeout(writer_->db().handle(), 0);  // from here on the writer waits by itself
  writer_->resume(recovered->next_key, recovered->next_row);
  open_ = std::move(recovered->open);
  if (o.continued) {
    for (auto& row : recovered->continued) o.continued(std::move(row));
  }
  if (auto started = reader_.start(reader_threads); !started) return started;
  checkpointer_->start();
  writer_->start();
  return {};
}

void SqliteEventLog::deliver() {
  assert(on_owner_thread());
  const auto gate = gate_;  // a completion may destroy the log
  Delivery delivery = deliveries_.take();
  const auto late = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - delivery.since);
  for (const auto& c : delivery.created) {
    if (c.made && !c.made->existing) open_[c.made->key] = {2, c.start_bytes};
  }
  for (auto& c : delivery.created) {
    if (gate->open) c.done(std::move(c.made));
  }
  if (gate->open && !delivery.durable.empty()) observer_.on_durable(delivery.durable, late.count());
  for (auto& [done, removed] : delivery.removed) {
    if (gate->open) done(std::move(removed));
  }
}

void SqliteEventLog::create(NewStream stream, Completion<Created> done) {
  assert(on_owner_thread());
  const LogState state = context_.health.state();
  if (state != LogState::healthy) {
    Errc code = state == LogState::failed ? Errc::log_failed : Errc::log_stalled;
    return context_.outbox.complete<Created>(std::move(done), tl::unexpected(Error{code, "the log cannot commit"}));
  }
  queue_.create({std::move(stream), std::move(done)});
}

void SqliteEventLog::append(StreamKey key, Seq first, std::span<const EventView> events) {
  assert(on_owner_thread());
  OpenStream* const stream = open_.find(key);
  assert(stream != nullptr && "the stream is not open");
  assert(first == stream->next && first + events.size() <= max_seq && "a gap or a repeat");
  if (events.empty()) return;
  stream->next += events.size();
  for (const auto& e : events) stream->bytes += entry_head + e.payload.size();
  if (context_.health.state() == LogState::failed) return;
  queue_.append(key, first, events);
}

void SqliteEventLog::keep_continuation(StreamKey key, std::string continuation) {
  assert(on_owner_thread());
  assert(open_.find(key) != nullptr && "the stream is not open");
  if (context_.health.state() == LogState::failed) return;
  queue_.keep({key, std::move(continuation)});
}

void SqliteEventLog::finish(StreamKey key, Seq seq, Ending ending) {
  assert(on_owner_thread());
  const OpenStream* const stream = open_.find(key);
  assert(stream != nullptr && "the stream is not open");
  assert(seq == stream->next && "a gap or a repeat");
  const uint64_t bytes = stream->bytes + entry_head + ending.done.size();
  open_.erase(key);
  if (context_.health.state() == LogState::failed) return;
  queue_.finish({key, seq, stored_size(bytes), std::move(ending)});
}

void SqliteEventLog::read(StreamKey key, Seq after, size_t max_bytes, Completion<std::shared_ptr<const Block>> done) {
  assert(on_owner_thread());
  auto answer = context_.tails.read(key, after, max_bytes);
  if (answer.here)
    return context_.outbox.complete<std::shared_ptr<const Block>>(std::move(done), std::move(answer.block));
  ask<std::shared_ptr<const Block>>(std::move(done), [=](ReadSession& s) { return s.read(key, after, max_bytes); });
}

void SqliteEventLog::find(std::string stream_id, Completion<StreamRow> done) {
  ask<StreamRow>(std::move(done), [id = std::move(stream_id)](ReadSession& s) { return s.find(id); });
}

void SqliteEventLog::find_key(std::string idempotency_key, Completion<StreamRow> done) {
  ask<StreamRow>(std::move(done), [key = std::move(idempotency_key)](ReadSession& s) { return s.find_key(key); });
}

void SqliteEventLog::find_run(std::string run_token, Completion<StreamRow> done) {
  ask<StreamRow>(std::move(done), [token = std::move(run_token)](ReadSession& s) { return s.find_run(token); });
}

void SqliteEventLog::list(std::string owner, std::optional<StreamKey> before, PageLimits limits,
                          Completion<Page> done) {
  ask<Page>(std::move(done), [=](ReadSession& s) { return s.list(owner, before, limits); });
}

void SqliteEventLog::request(StreamKey key, Completion<std::string> done) {
  ask<std::string>(std::move(done), [=](ReadSession& s) { return s.request(key); });
}

void SqliteEventLog::remove(std::string stream_id, int64_t now_ms, Completion<bool> done) {
  if (context_.health.state() == LogState::failed) {
    return context_.outbox.complete<bool>(std::move(done),
                                          tl::unexpected(Error{Errc::log_failed, "the log cannot commit"}));
  }
  queue_.remove({std::move(stream_id), now_ms, std::move(done)});
}

void SqliteEventLog::expired(int64_t finished_before_ms, uint64_t max_bytes, size_t limit,
                             Completion<std::vector<StreamRow>> done) {
  ask<std::vector<StreamRow>>(std::move(done),
                              [=](ReadSession& s) { return s.expired(finished_before_ms, max_bytes, limit); });
}

LogFigures SqliteEventLog::figures() const {
  const Figures& f = context_.figures;
  return {f.commits,     f.commit_events, f.commit_bytes, f.syncs_failed,   f.segments_written,
          f.checkpoints, f.journal_bytes, f.wal_bytes,    f.database_bytes, f.corrupt_rows};
}

void SqliteEventLog::close() {
  if (std::exchange(closed_, true)) return;
  if (writer_) writer_->stop();
  reader_.stop();
  if (checkpointer_) checkpointer_->stop();
}

}  // namespace

Result<std::unique_ptr<EventLog>> open_sqlite_log(SqliteLogOptions options, Observer& observer) {
  auto directory = claim_directory(options.directory);
  if (!directory) return tl::unexpected(directory.error());
  if (options.report) {
    const char* sync = options.sync == SyncLevel::full ? "full" : "normal";
    const bool below = directory->size() > options.directory.size();
    options.report(0, "the events are in " + *directory + " (sync = " + sync + ")" +
                          (below ? ", since " + options.directory + " is not this process's own" : ""));
  }
  options.directory = std::move(*directory);
  auto lock = DirectoryLock::take(options.directory);
  if (!lock) return tl::unexpected(lock.error());
  auto log = std::make_unique<SqliteEventLog>(std::move(options), observer, std::move(*lock));
  if (auto opened = log->open(); !opened) return tl::unexpected(opened.error());
  return log;
}

}  // namespace tokenrelay::storage
