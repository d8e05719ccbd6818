#include "storage/recovery.h"

#include "storage/journal.h"
#include "storage/segment.h"

namespace tokenrelay::storage {
namespace {

// Written by the log itself, since only the log knows that events are missing.
constexpr const char* damaged_done =
    R"({"status":"interrupted","finish_reason":null,"usage":{"source":"unknown"},)"
    R"("error":{"code":"log_corrupt","message":"part of this stream was damaged on disk","retryable":false}})";

}  // namespace

Result<Recovered> Recovery::run() {
  if (int rc = prepare(); rc != SQLITE_OK) return failure(rc, "prepare to recover");
  if (int rc = read_counters(); rc != SQLITE_OK) return failure(rc, "read the log's counters");
  std::vector<StreamRow> unfinished;
  if (int rc = rows_.unfinished(unfinished); rc != SQLITE_OK) return failure(rc, "read unfinished streams");
  for (const auto& row : unfinished) {
    Known* known;
    if (int rc = load(row.key, known); rc != SQLITE_OK) return failure(rc, "read a stream");
  }
  if (int rc = read_journal(); rc != SQLITE_OK) return failure(rc, "read the journal");
  if (int rc = find_unmentioned(); rc != SQLITE_OK) return failure(rc, "look for damaged streams");
  int rc = db_.exec("BEGIN IMMEDIATE");
  if (rc == SQLITE_OK) rc = settle();
  for (size_t i = 0; rc == SQLITE_OK && i < unfinished.size(); ++i) {
    Known& known = streams_[unfinished[i].key];
    if (!known.damaged) rc = resume_or_end(unfinished[i], known);
  }
  if (rc == SQLITE_OK && row_.size() > journal_head) {
    seal_row(row_, recovered_.next_row);
    rc = writes_.journal(recovered_.next_row, row_);
  }
  if (rc == SQLITE_OK) rc = db_.exec("COMMIT");
  if (rc == SQLITE_OK) rc = count_stored();
  if (rc != SQLITE_OK) return failure(rc, "end the unfinished streams");
  if (row_.size() > journal_head) tidy_.row_written(recovered_.next_row++, row_.size());
  for (StreamKey key : ended_) context_.tails.finish(key);
  return std::move(recovered_);
}

tl::unexpected<Error> Recovery::failure(int rc, const std::string& doing) {
  Error error = db_.error(rc, doing);
  db_.rollback();
  return tl::unexpected(error);
}

int Recovery::prepare() {
  row_.assign(journal_head, '\0');
  const std::pair<const char*, Statement*> all[] = {
      {"SELECT status, last_seq FROM streams WHERE key = ?1", &known_},
      {"SELECT id, last_seq FROM segments WHERE id <= ?1 ORDER BY id DESC LIMIT 1", &segment_end_},
      {"SELECT coalesce(sum(bytes), 0) FROM segments WHERE id BETWEEN ?1 AND ?2", &segment_bytes_},
      {"DELETE FROM runs WHERE key = ?1 AND first_seq > ?2", &drop_later_runs_},
      {"INSERT INTO corrupt_rows(journal_id, found_ms, body) VALUES(?1, ?2, ?3)", &keep_corrupt_},
      {"DELETE FROM journal WHERE id = ?1", &drop_row_},
      {"SELECT body FROM continuations WHERE key = ?1", &continuation_},
  };
  for (const auto& [sql, statement] : all) {
    if (int rc = db_.prepare(sql, *statement); rc != SQLITE_OK) return rc;
  }
  return rows_.prepare(db_);
}

int Recovery::read_counters() {
  auto last_key = db_.integer("SELECT seq FROM sqlite_sequence WHERE name = 'streams'");
  auto kept = db_.integer("SELECT count(*) FROM corrupt_rows");
  if (!last_key || !kept) return sqlite3_extended_errcode(db_.handle());
  recovered_.next_key = static_cast<StreamKey>(*last_key) + 1;
  context_.figures.corrupt_rows = static_cast<uint64_t>(*kept);
  Statement removals;
  int rc = db_.prepare("SELECT key FROM removals", removals);
  if (rc != SQLITE_OK) return rc;
  while ((rc = removals.step()) == SQLITE_ROW) tidy_.removed(static_cast<StreamKey>(removals.integer(0)));
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int Recovery::count_stored() {
  auto stored = db_.integer("SELECT coalesce(sum(stored_bytes), 0) FROM streams WHERE status <> ''");
  if (!stored) return sqlite3_extended_errcode(db_.handle());
  context_.figures.stored_bytes = static_cast<uint64_t>(*stored);
  return SQLITE_OK;
}

int Recovery::read_journal() {
  Statement rows;
  int rc = db_.prepare("SELECT id, body FROM journal ORDER BY id", rows);
  if (rc != SQLITE_OK) return rc;
  while ((rc = rows.step()) == SQLITE_ROW) {
    const uint64_t id = static_cast<uint64_t>(rows.integer(0));
    std::string_view body = rows.bytes(1);
    recovered_.next_row = id + 1;
    auto records = open_row(body, id);
    if (!records) {
      corrupt_.emplace_back(id, body);
      continue;
    }
    tidy_.row_written(id, body.size());
    RecordReader walk(*records);
    for (Record r; walk.next(r);) {
      if (int bad = take_record(r); bad != SQLITE_OK) return bad;
    }
  }
  return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int Recovery::load(StreamKey key, Known*& known) {
  auto [it, fresh] = streams_.try_emplace(key);
  known = &it->second;
  if (!fresh) return SQLITE_OK;
  int rc = known_.bind(1, static_cast<int64_t>(key)).step();
  known->exists = rc == SQLITE_ROW;
  if (rc == SQLITE_ROW) {
    known->finished = !known_.bytes(0).empty();
    known->row_last = static_cast<Seq>(known_.integer(1));
  }
  known_.reset();
  if (rc != SQLITE_ROW) return rc == SQLITE_DONE ? SQLITE_OK : rc;
  rc = segment_end_.bind(1, segment_id(key, max_seq)).step();
  bool has = rc == SQLITE_ROW && key_of_segment(segment_end_.integer(0)) == key;
  context_.tails.open(key, has ? static_cast<Seq>(segment_end_.integer(1)) : 0);
  segment_end_.reset();
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  rc = segment_bytes_.bind(1, segment_id(key, 0)).bind(2, segment_id(key, max_seq)).step();
  if (rc == SQLITE_ROW) known->bytes = static_cast<uint64_t>(segment_bytes_.integer(0));
  segment_bytes_.reset();
  return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int Recovery::take_record(const Record& record) {
  Known* known;
  if (int rc = load(record.key, known); rc != SQLITE_OK) return rc;
  if (!known->exists || known->damaged) return SQLITE_OK;
  const Seq last = context_.tails.find(record.key)->last;
  if (record.last() <= last) return SQLITE_OK;
  if (record.first > last + 1) {
    known->damaged = true;
    return SQLITE_OK;
  }
  Record rest = after(record, last);
  context_.tails.append(rest);
  known->bytes += rest.entries.size();
  return SQLITE_OK;
}

// Finds streams whose events after the segments were all in damaged rows, so that no readable row mentions them.
int Recovery::find_unmentioned() {
  if (!corrupt_.empty()) {
    Statement all;
    int rc = db_.prepare("SELECT key FROM streams WHERE status <> ''", all);
    if (rc != SQLITE_OK) return rc;
    while ((rc = all.step()) == SQLITE_ROW) {
      Known* known;
      if (int bad = load(static_cast<StreamKey>(all.integer(0)), known); bad != SQLITE_OK) return bad;
    }
    if (rc != SQLITE_DONE) return rc;
  }
  for (auto& [key, known] : streams_) {
    if (known.exists && known.finished && context_.tails.find(key)->last != known.row_last) known.damaged = true;
    if (known.exists && known.finished && !known.damaged) ended_.push_back(key);
  }
  return SQLITE_OK;
}

int Recovery::settle() {
  int rc = keep_corrupt_rows();
  for (auto& [key, known] : streams_) {
    if (rc == SQLITE_OK && known.damaged) rc = end_damaged(key, known);
  }
  return rc;
}

int Recovery::keep_corrupt_rows() {
  for (const auto& [id, body] : corrupt_) {
    keep_corrupt_.bind(1, static_cast<int64_t>(id)).bind(2, context_.options.wall_ms());
    int rc = keep_corrupt_.bind_blob(3, body).run();
    if (rc == SQLITE_OK) rc = drop_row_.bind(1, static_cast<int64_t>(id)).run();
    if (rc != SQLITE_OK) return rc;
    context_.figures.corrupt_rows.fetch_add(1, std::memory_order_relaxed);
    context_.report(2, "journal row " + std::to_string(id) + " is damaged; it is kept in corrupt_rows");
  }
  return SQLITE_OK;
}

int Recovery::end_damaged(StreamKey key, Known& known) {
  const Seq last = context_.tails.find(key)->last;
  // Runs that began after the gap have lost all their events: their cursors are no longer valid.
  int rc = drop_later_runs_.bind(1, static_cast<int64_t>(key)).bind(2, static_cast<int64_t>(last)).run();
  std::string token;
  if (rc == SQLITE_OK) rc = writes_.begin_run(key, last + 1, token);
  if (rc != SQLITE_OK) return rc;
  append(key, last + 1, EventKind::done, damaged_done, known);
  FinishOp op{key, last + 1, stored_size(known.bytes), {"interrupted", damaged_done, context_.options.wall_ms()}};
  ended_.push_back(key);
  return writes_.finish(op);
}

int Recovery::resume_or_end(StreamRow& row, Known& known) {
  row.last_seq = context_.tails.find(row.key)->last;
  close_runs(row);
  int rc = continuation_.bind(1, static_cast<int64_t>(row.key)).step();
  if (rc == SQLITE_ROW) row.continuation = continuation_.bytes(0);
  continuation_.reset();
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  RecoveryDecision decision = context_.options.recover(row);
  const Seq seq = row.last_seq + 1;
  std::string token;
  rc = writes_.begin_run(row.key, seq, token);
  if (rc != SQLITE_OK) return rc;
  if (!decision.finish) {
    if (!decision.continuation.empty()) rc = writes_.keep({row.key, std::move(decision.continuation)});
    if (rc != SQLITE_OK) return rc;
    append(row.key, seq, EventKind::upstream, decision.upstream, known);
    recovered_.open[row.key] = {seq + 1, known.bytes};
    row.last_seq = seq;
    row.runs.push_back({std::move(token), seq, seq});
    recovered_.continued.push_back(row);
    return SQLITE_OK;
  }
  append(row.key, seq, EventKind::done, decision.ending.done, known);
  ended_.push_back(row.key);
  return writes_.finish({row.key, seq, stored_size(known.bytes), std::move(decision.ending)});
}

void Recovery::append(StreamKey key, Seq seq, EventKind kind, const std::string& payload, Known& known) {
  EventView event{kind, payload};
  std::string bytes;
  append_entry(bytes, event);
  known.bytes += bytes.size();
  context_.tails.append({key, seq, 1, bytes});
  append_record(row_, key, seq, {&event, 1});
}

}  // namespace tokenrelay::storage
