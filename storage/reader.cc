#include "storage/reader.h"

#include "storage/segment.h"

namespace tokenrelay::storage {
namespace {

constexpr int tries = 4;  // if a row changes between reading the table and the tails

tl::unexpected<Error> not_found(const char* what) {
  return tl::unexpected(Error{Errc::not_found, what});
}

}  // namespace

int ReadSession::prepare() {
  const std::pair<const char*, Statement*> all[] = {
      {"SELECT 1 FROM streams WHERE key = ?1", &exists_},
      {"SELECT id, last_seq, body FROM segments WHERE id <= ?1 ORDER BY id DESC LIMIT 1", &segment_},
      {"SELECT body FROM requests WHERE key = ?1", &request_},
  };
  for (const auto& [sql, statement] : all) {
    if (int rc = db_.prepare(sql, *statement); rc != SQLITE_OK) return rc;
  }
  return rows_.prepare(db_);
}

Result<std::shared_ptr<const Block>> ReadSession::read(StreamKey key, Seq after, size_t max_bytes) {
  auto block = std::make_shared<Block>();
  if (key > max_key) return not_found("no such stream");
  Snapshot snapshot(db_);
  int rc = exists_.bind(1, static_cast<int64_t>(key)).step();
  exists_.reset();
  if (rc == SQLITE_DONE) return not_found("no such stream");
  if (rc != SQLITE_ROW) return tl::unexpected(db_.error(rc, "read"));
  if (after >= max_seq) return block;
  rc = segment_.bind(1, segment_id(key, after + 1)).step();
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
    Error error = db_.error(rc, "read a segment");
    segment_.reset();
    return tl::unexpected(error);
  }
  bool intact = true;
  if (rc == SQLITE_ROW && key_of_segment(segment_.integer(0)) == key && static_cast<Seq>(segment_.integer(1)) > after) {
    auto found = read_segment(segment_.integer(0), segment_.bytes(2), after + 1, max_bytes);
    intact = found.has_value();
    if (found) *block = std::move(*found);
  }
  segment_.reset();
  if (!intact) {
    context_.report(2, "a segment of stream " + std::to_string(key) + " is damaged");
    return tl::unexpected(Error{Errc::corrupt, "a segment's checksum is wrong"});
  }
  return block;
}

// Adds the current values from the tails. False: the stream ended while the row was read; read it again.
bool ReadSession::complete(StreamRow& row) {
  if (!row.status.empty()) return true;
  auto end = context_.tails.end(row.key);
  if (!end || end->finished) return false;
  row.last_seq = end->last;
  close_runs(row);
  return true;
}

Result<StreamRow> ReadSession::row(int (StreamRows::*by)(const std::string&, StreamRow&), const std::string& name) {
  StreamRow row;
  for (int i = 0; i < tries; ++i) {
    row = {};
    Snapshot snapshot(db_);  // the row and its runs belong together
    int rc = (rows_.*by)(name, row);
    if (rc == SQLITE_DONE) return not_found("no such stream");
    if (rc != SQLITE_ROW) return tl::unexpected(db_.error(rc, "find a stream"));
    if (complete(row)) return row;
  }
  return row;
}

Result<StreamRow> ReadSession::find(const std::string& stream_id) {
  auto found = row(&StreamRows::by_id, stream_id);
  if (found || found.error().code != Errc::not_found) return found;
  int64_t removed_ms = 0;
  int rc = rows_.tombstone(stream_id, removed_ms);
  if (rc == SQLITE_ROW && removed_ms > context_.options.wall_ms() - tombstone_ms) {
    return tl::unexpected(Error{Errc::gone, "the stream was removed"});
  }
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return tl::unexpected(db_.error(rc, "find a stream"));
  return found;
}

Result<StreamRow> ReadSession::find_run(const std::string& token) {
  return row(&StreamRows::by_run, token);
}

Result<StreamRow> ReadSession::find_key(const std::string& idempotency_key) {
  return row(&StreamRows::by_idempotency_key, idempotency_key);
}

Result<Page> ReadSession::list(const std::string& owner, std::optional<StreamKey> before, PageLimits limits) {
  Page page;
  for (int i = 0; i < tries; ++i) {
    page = {};
    int rc = SQLITE_OK;
    {
      Snapshot snapshot(db_);
      rc = rows_.list(owner, before, limits, page);
    }
    if (rc != SQLITE_OK) return tl::unexpected(db_.error(rc, "list streams"));
    bool settled = true;
    for (auto& row : page.rows) settled = complete(row) && settled;
    if (settled) break;
  }
  return page;
}

Result<std::string> ReadSession::request(StreamKey key) {
  int rc = request_.bind(1, static_cast<int64_t>(key)).step();
  std::string body(rc == SQLITE_ROW ? request_.bytes(0) : std::string_view());
  request_.reset();
  if (rc == SQLITE_ROW) return body;
  if (rc == SQLITE_DONE) return not_found("no request is kept for this stream");
  return tl::unexpected(db_.error(rc, "read a request"));
}

Result<std::vector<StreamRow>> ReadSession::expired(int64_t finished_before_ms, uint64_t max_bytes, size_t limit) {
  std::vector<StreamRow> rows;
  uint64_t stored = context_.figures.stored_bytes.load(std::memory_order_relaxed);
  Snapshot snapshot(db_);
  int rc = rows_.expired(finished_before_ms, stored > max_bytes ? stored - max_bytes : 0, limit, rows);
  if (rc != SQLITE_OK) return tl::unexpected(db_.error(rc, "look for expired streams"));
  return rows;
}

Result<void> Reader::start(int threads) {
  for (int i = 0; i < threads; ++i) {
    auto db = Database::open(context_.path(), Database::Mode::read, context_.options.vfs);
    if (!db) return tl::unexpected(db.error());
    sessions_.push_back(std::make_unique<ReadSession>(context_, std::move(*db)));
    if (int rc = sessions_.back()->prepare(); rc != SQLITE_OK) {
      return tl::unexpected(Error{errc_of(rc), std::string("cannot prepare to read: ") + sqlite3_errstr(rc)});
    }
  }
  for (auto& session : sessions_) threads_.emplace_back([this, s = session.get()] { run(*s); });
  return {};
}

void Reader::stop() {
  std::deque<Job> dropped;
  {
    std::lock_guard lock(mutex_);
    stop_ = true;
    dropped.swap(jobs_);
    ready_.notify_all();
  }
  for (auto& t : threads_) t.join();
  threads_.clear();
}

void Reader::submit(Job job) {
  std::lock_guard lock(mutex_);
  if (stop_) return;
  jobs_.push_back(std::move(job));
  ready_.notify_one();
}

void Reader::run(ReadSession& session) {
  for (;;) {
    Job job;
    {
      std::unique_lock lock(mutex_);
      ready_.wait(lock, [this] { return stop_ || !jobs_.empty(); });
      if (stop_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job(session);
  }
}

}  // namespace tokenrelay::storage
