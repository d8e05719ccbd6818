#include "storage/stream_rows.h"

#include <limits>

namespace tokenrelay::storage {
namespace {

#define STREAM_COLUMNS                                                                                              \
  "SELECT s.key, s.stream_id, s.owner, s.model, s.provider, s.metadata, s.idempotency_key, s.body_hash, s.status, " \
  "s.done, s.created_ms, s.finished_ms, s.last_seq, s.stored_bytes FROM streams s "

// Without what may be large: retention looks at hundreds of rows at once.
#define BARE_COLUMNS                                                                                            \
  "SELECT s.key, s.stream_id, s.owner, s.model, s.provider, '', s.idempotency_key, s.body_hash, s.status, '', " \
  "s.created_ms, s.finished_ms, s.last_seq, s.stored_bytes FROM streams s "

constexpr int stored_bytes_column = 13;

void fill(Statement& s, StreamRow& row) {
  row.key = static_cast<StreamKey>(s.integer(0));
  row.stream_id = s.bytes(1);
  row.owner = s.bytes(2);
  row.model = s.bytes(3);
  row.provider = s.bytes(4);
  row.metadata = s.bytes(5);
  row.idempotency_key = s.bytes(6);
  row.body_hash = s.bytes(7);
  row.status = s.bytes(8);
  row.done = s.bytes(9);
  row.created_ms = s.integer(10);
  row.finished_ms = s.integer(11);
  row.last_seq = static_cast<Seq>(s.integer(12));
  row.stored_bytes = static_cast<uint64_t>(s.integer(stored_bytes_column));
}

}  // namespace

int StreamRows::prepare(Database& db) {
  const std::pair<const char*, Statement*> all[] = {
      {STREAM_COLUMNS "WHERE s.stream_id = ?1", &by_id_},
      {STREAM_COLUMNS "WHERE s.key = ?1", &by_key_},
      {STREAM_COLUMNS "JOIN runs r ON r.key = s.key WHERE r.token = ?1", &by_run_},
      {STREAM_COLUMNS "WHERE s.idempotency_key = ?1 AND s.idempotency_key <> ''", &by_idempotency_key_},
      {"SELECT token, first_seq FROM runs WHERE key = ?1 ORDER BY first_seq", &runs_},
      {STREAM_COLUMNS "WHERE s.owner = ?1 AND s.key < ?2 ORDER BY s.key DESC LIMIT ?3", &list_},
      {STREAM_COLUMNS "WHERE s.status = '' ORDER BY s.key", &unfinished_},
      {BARE_COLUMNS "WHERE s.status <> '' ORDER BY s.finished_ms LIMIT ?1", &expired_},
      {"SELECT removed_ms FROM tombstones WHERE stream_id = ?1", &tombstone_},
  };
  for (const auto& [sql, statement] : all) {
    if (int rc = db.prepare(sql, *statement); rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

int StreamRows::one(Statement& s, StreamRow& row) {
  int rc = s.step();
  if (rc == SQLITE_ROW) fill(s, row);
  s.reset();
  if (rc != SQLITE_ROW) return rc;
  rc = load_runs(row);
  return rc == SQLITE_OK ? SQLITE_ROW : rc;
}

int StreamRows::many(Statement& s, std::vector<StreamRow>& rows) {
  int rc;
  while ((rc = s.step()) == SQLITE_ROW) fill(s, rows.emplace_back());
  s.reset();
  return rc == SQLITE_DONE ? load_runs_of(rows) : rc;
}

int StreamRows::load_runs_of(std::vector<StreamRow>& rows) {
  for (auto& row : rows) {
    if (const int rc = load_runs(row); rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

int StreamRows::load_runs(StreamRow& row) {
  runs_.bind(1, static_cast<int64_t>(row.key));
  int rc;
  while ((rc = runs_.step()) == SQLITE_ROW) {
    row.runs.push_back({std::string(runs_.bytes(0)), static_cast<Seq>(runs_.integer(1)), 0});
  }
  runs_.reset();
  close_runs(row);
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

void close_runs(StreamRow& row) {
  for (size_t i = 0; i < row.runs.size(); ++i) {
    row.runs[i].last_seq = i + 1 < row.runs.size() ? row.runs[i + 1].first_seq - 1 : row.last_seq;
  }
}

int StreamRows::by_id(const std::string& stream_id, StreamRow& row) {
  return one(by_id_.bind_text(1, stream_id), row);
}

int StreamRows::by_key(StreamKey key, StreamRow& row) {
  return one(by_key_.bind(1, static_cast<int64_t>(key)), row);
}

int StreamRows::by_run(const std::string& token, StreamRow& row) {
  return one(by_run_.bind_text(1, token), row);
}

int StreamRows::by_idempotency_key(const std::string& key, StreamRow& row) {
  return one(by_idempotency_key_.bind_text(1, key), row);
}

int StreamRows::list(const std::string& owner, std::optional<StreamKey> before, PageLimits limits, Page& page) {
  const int64_t end = before ? static_cast<int64_t>(*before) : std::numeric_limits<int64_t>::max();
  list_.bind_text(1, owner).bind(2, end).bind(3, static_cast<int64_t>(limits.rows) + 1);
  size_t bytes = 0;
  int rc;
  while ((rc = list_.step()) == SQLITE_ROW) {
    StreamRow row;
    fill(list_, row);
    bytes += row.text_bytes();
    const bool full = page.rows.size() == limits.rows || (!page.rows.empty() && bytes > limits.bytes);
    if (full) {
      if (!page.rows.empty()) page.next = page.rows.back().key;
      break;
    }
    page.rows.push_back(std::move(row));
  }
  list_.reset();
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? load_runs_of(page.rows) : rc;
}

int StreamRows::unfinished(std::vector<StreamRow>& rows) {
  return many(unfinished_, rows);
}

int StreamRows::expired(int64_t finished_before_ms, uint64_t excess, size_t limit, std::vector<StreamRow>& rows) {
  expired_.bind(1, static_cast<int64_t>(limit));
  uint64_t found = 0;
  int rc;
  while ((rc = expired_.step()) == SQLITE_ROW) {
    StreamRow row;
    fill(expired_, row);
    if (row.finished_ms >= finished_before_ms && found >= excess) break;
    found += static_cast<uint64_t>(expired_.integer(stored_bytes_column));
    rows.push_back(std::move(row));
  }
  expired_.reset();
  return rc == SQLITE_ROW || rc == SQLITE_DONE ? load_runs_of(rows) : rc;
}

int StreamRows::tombstone(const std::string& stream_id, int64_t& removed_ms) {
  int rc = tombstone_.bind_text(1, stream_id).step();
  if (rc == SQLITE_ROW) removed_ms = tombstone_.integer(0);
  tombstone_.reset();
  return rc;
}

}  // namespace tokenrelay::storage
