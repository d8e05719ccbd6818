#include "storage/stream_writes.h"

#include "storage/journal.h"

namespace tokenrelay::storage {

int StreamWrites::prepare(Database& db) {
  db_ = &db;
  const std::pair<const char*, Statement*> all[] = {
      // The second condition lets SQLite use the partial index.
      {"SELECT key, body_hash FROM streams WHERE idempotency_key = ?1 AND idempotency_key <> ''", &by_idempotency_key_},
      {"INSERT INTO streams VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, '', '', ?9, 0, 0, 0)", &insert_stream_},
      {"INSERT OR IGNORE INTO runs VALUES(?1, ?2, ?3)", &insert_run_},
      {"INSERT INTO requests VALUES(?1, ?2)", &insert_request_},
      {"DELETE FROM requests WHERE key = ?1", &drop_request_},
      {"INSERT OR REPLACE INTO continuations VALUES(?1, ?2)", &keep_continuation_},
      {"DELETE FROM continuations WHERE key = ?1", &drop_continuation_},
      {"UPDATE streams SET status = ?2, done = ?3, finished_ms = ?4, last_seq = ?5, stored_bytes = ?6 WHERE key = ?1",
       &finish_},
      {"SELECT stored_bytes FROM streams WHERE key = ?1", &stored_bytes_},
      {"DELETE FROM streams WHERE key = ?1", &drop_stream_},
      {"DELETE FROM runs WHERE key = ?1", &drop_runs_},
      {"INSERT OR REPLACE INTO tombstones VALUES(?1, ?2)", &insert_tombstone_},
      {"INSERT INTO removals VALUES(?1)", &insert_removal_},
      {"INSERT INTO journal VALUES(?1, ?2)", &insert_journal_},
  };
  for (const auto& [sql, statement] : all) {
    if (int rc = db.prepare(sql, *statement); rc != SQLITE_OK) return rc;
  }
  return rows_.prepare(db);
}

int StreamWrites::create(const NewStream& stream, StreamKey& next_key, std::string& row, Result<Created>& out) {
  if (!stream.idempotency_key.empty()) {
    std::optional<Result<Created>> known;
    if (int rc = existing(stream, known); rc != SQLITE_OK) return rc;
    if (known) {
      out = std::move(*known);
      return SQLITE_OK;
    }
  }
  Created made{next_key, stream.stream_id, "", false};
  int rc = insert(stream, made.key);
  if ((rc & 0xff) == SQLITE_CONSTRAINT) {
    out = tl::unexpected(Error{Errc::io, "the stream id is already in use"});
    return SQLITE_OK;
  }
  if (rc == SQLITE_OK) rc = begin_run(made.key, 1, made.run);
  if (rc == SQLITE_OK && !stream.request.empty()) {
    rc = insert_request_.bind(1, static_cast<int64_t>(made.key)).bind_blob(2, stream.request).run();
  }
  if (rc != SQLITE_OK) return rc;
  EventView start{EventKind::start, stream.start};
  append_record(row, made.key, 1, {&start, 1});
  ++next_key;
  out = std::move(made);
  return SQLITE_OK;
}

int StreamWrites::existing(const NewStream& stream, std::optional<Result<Created>>& out) {
  Statement& s = by_idempotency_key_;
  int rc = s.bind_text(1, stream.idempotency_key).step();
  StreamKey key = rc == SQLITE_ROW ? static_cast<StreamKey>(s.integer(0)) : 0;
  bool same = rc == SQLITE_ROW && s.bytes(1) == stream.body_hash;
  s.reset();
  if (rc == SQLITE_DONE) return SQLITE_OK;
  if (rc != SQLITE_ROW) return rc;
  if (!same) {
    out = tl::unexpected(Error{Errc::key_reused, "the idempotency key was used with another body"});
    return SQLITE_OK;
  }
  StreamRow row;
  rc = rows_.by_key(key, row);
  if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? SQLITE_CORRUPT : rc;
  out = Created{key, row.stream_id, row.runs.empty() ? "" : row.runs.front().token, true};
  return SQLITE_OK;
}

int StreamWrites::insert(const NewStream& n, StreamKey key) {
  insert_stream_.bind(1, static_cast<int64_t>(key)).bind_text(2, n.stream_id).bind_text(3, n.owner);
  insert_stream_.bind_text(4, n.model).bind_text(5, n.provider).bind_text(6, n.metadata);
  insert_stream_.bind_text(7, n.idempotency_key).bind_blob(8, n.body_hash).bind(9, n.created_ms);
  return insert_stream_.run();
}

int StreamWrites::begin_run(StreamKey key, Seq first, std::string& token) {
  // 50 random bits: a second draw is rare; a seventeenth means that the random source is broken.
  for (int draw = 0; draw < 17; ++draw) {
    token = draw_token();
    int rc =
        insert_run_.bind_text(1, token).bind(2, static_cast<int64_t>(key)).bind(3, static_cast<int64_t>(first)).run();
    if (rc != SQLITE_OK || db_->changes() == 1) return rc;
  }
  return SQLITE_INTERNAL;
}

std::string StreamWrites::draw_token() {
  unsigned char bytes[10];
  random_(bytes, sizeof bytes);
  std::string token;
  for (unsigned char b : bytes) token += "abcdefghijklmnopqrstuvwxyz234567"[b & 31];
  return token;
}

int StreamWrites::keep(const ContinuationOp& op) {
  const auto key = static_cast<int64_t>(op.key);
  return op.body.empty() ? drop_continuation_.bind(1, key).run()
                         : keep_continuation_.bind(1, key).bind_blob(2, op.body).run();
}

int StreamWrites::finish(const FinishOp& op) {
  const Ending& e = op.ending;
  finish_.bind(1, static_cast<int64_t>(op.key)).bind_text(2, e.status).bind_text(3, e.done).bind(4, e.finished_ms);
  int rc = finish_.bind(5, static_cast<int64_t>(op.seq)).bind(6, static_cast<int64_t>(op.stored_bytes)).run();
  if (rc == SQLITE_OK) rc = drop_continuation_.bind(1, static_cast<int64_t>(op.key)).run();
  if (rc == SQLITE_OK && !keep_requests_) rc = drop_request_.bind(1, static_cast<int64_t>(op.key)).run();
  return rc;
}

int StreamWrites::remove(const RemoveOp& op, Result<Removed>& out) {
  StreamRow row;
  int rc = rows_.by_id(op.stream_id, row);
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  if (rc == SQLITE_DONE || row.status.empty()) {
    int64_t removed_ms = 0;
    int grave = rows_.tombstone(op.stream_id, removed_ms);
    if (grave != SQLITE_ROW && grave != SQLITE_DONE) return grave;
    bool gone = grave == SQLITE_ROW && removed_ms > op.now_ms - tombstone_ms;
    out = tl::unexpected(Error{gone ? Errc::gone : Errc::not_found, "no finished stream has this id"});
    return SQLITE_OK;
  }
  const int64_t key = static_cast<int64_t>(row.key);
  rc = stored_bytes_.bind(1, key).step();
  Removed removed{row.key, rc == SQLITE_ROW ? static_cast<uint64_t>(stored_bytes_.integer(0)) : 0};
  stored_bytes_.reset();
  if (rc == SQLITE_ROW) rc = drop_stream_.bind(1, key).run();
  if (rc == SQLITE_OK) rc = drop_runs_.bind(1, key).run();
  if (rc == SQLITE_OK) rc = drop_request_.bind(1, key).run();
  if (rc == SQLITE_OK) rc = insert_tombstone_.bind_text(1, op.stream_id).bind(2, op.now_ms).run();
  if (rc == SQLITE_OK) rc = insert_removal_.bind(1, key).run();
  out = removed;
  return rc;
}

int StreamWrites::journal(uint64_t id, std::string_view row) {
  return insert_journal_.bind(1, static_cast<int64_t>(id)).bind_blob(2, row).run();
}

}  // namespace tokenrelay::storage
