#include "storage/tidy.h"

#include <algorithm>

#include "storage/segment.h"
#include "storage/stream_rows.h"

namespace tokenrelay::storage {
namespace {

constexpr size_t step_bytes = 64 << 10;
constexpr auto upkeep_every = std::chrono::seconds(1);
constexpr auto vacuum_every = std::chrono::milliseconds(10);
constexpr auto after_failure = std::chrono::milliseconds(50);
constexpr auto truncate_every = std::chrono::milliseconds(20);

}  // namespace

int Tidy::prepare() {
  const std::pair<const char*, Statement*> all[] = {
      {"INSERT INTO segments VALUES(?1, ?2, ?3, ?4)", &insert_segment_},
      {"DELETE FROM journal WHERE id BETWEEN ?1 AND ?2", &delete_journal_},
      {"SELECT id, bytes FROM segments WHERE id BETWEEN ?1 AND ?2 ORDER BY id", &find_segments_},
      {"DELETE FROM segments WHERE id = ?1", &delete_segment_},
      {"DELETE FROM removals WHERE key = ?1", &delete_removal_},
      {"DELETE FROM tombstones WHERE stream_id IN "
       "(SELECT stream_id FROM tombstones WHERE removed_ms <= ?1 ORDER BY removed_ms LIMIT 200)",
       &delete_tombstones_},
  };
  for (const auto& [sql, statement] : all) {
    if (int rc = db_.prepare(sql, *statement); rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

void Tidy::row_written(uint64_t id, size_t bytes) {
  rows_.emplace_back(id, bytes);
  journal_bytes_ += bytes;
  context_.figures.journal_bytes.store(journal_bytes_, std::memory_order_relaxed);
  const auto now = Clock::now();
  if (journal_bytes_ >= context_.options.journal_flush_bytes) flush_at_ = std::min(flush_at_, now);
  flush_at_ = std::min(flush_at_, now + std::chrono::milliseconds(context_.options.journal_flush_ms));
}

void Tidy::removed(StreamKey key) {
  removed_.push_back(key);
  scrub_at_ = std::min(scrub_at_, Clock::now() + std::chrono::milliseconds(context_.options.scrub_ms));
}

Clock::time_point Tidy::next() const {
  auto at = phase_ == Phase::idle ? std::min({flush_at_, scrub_at_, truncated_at_, upkeep_at_}) : Clock::time_point{};
  return std::max(at, not_before_);
}

void Tidy::step() {
  int rc = one_step();
  if (rc == SQLITE_OK) return;
  Error error{errc_of(rc), std::string("cannot tidy the log: ") + sqlite3_errstr(rc)};
  db_.rollback();
  not_before_ = Clock::now() + after_failure;
  if (severity_of(rc) == Severity::passing) return;  // commits fail in the same way and report it
  if (rc == SQLITE_IOERR_FSYNC) context_.figures.syncs_failed.fetch_add(1, std::memory_order_relaxed);
  context_.report(2, error.message);
  context_.health.fail(error.message);
}

int Tidy::one_step() {
  switch (phase_) {
    case Phase::segments:
      return write_segments();
    case Phase::journal:
      return delete_journal();
    case Phase::scrub:
      return scrub_segments();
    case Phase::idle:
      break;
  }
  if (Clock::now() >= std::min(flush_at_, scrub_at_)) {
    begin_round();
    return SQLITE_OK;
  }
  if (Clock::now() >= truncated_at_) return forget_truncated();
  return upkeep();
}

size_t Tidy::arrears(size_t committed_bytes) const {
  const uint64_t limit = context_.options.journal_flush_bytes;
  if (!due(Clock::now())) return 0;
  if (journal_bytes_ <= limit + limit / 4) return 1;
  // Each byte is written once more, and deleted twice if retention removes it.
  return 2 + 6 * committed_bytes / step_bytes;
}

void Tidy::begin_round() {
  flush_at_ = scrub_at_ = Clock::time_point::max();
  boundary_ = rows_.empty() ? 0 : rows_.back().first;
  work_.clear();
  for (StreamKey key : context_.tails.waiting()) work_.push_back({key, context_.tails.find(key)->last});
  at_ = 0;
  scrubbing_ = std::exchange(removed_, {});
  phase_ = Phase::segments;
}

int Tidy::transaction(int (Tidy::*body)()) {
  WriteTurn::Held turn(context_.turn, WriteTurn::Who::writer);
  int rc = db_.exec("BEGIN IMMEDIATE");
  if (rc == SQLITE_OK) rc = (this->*body)();
  if (rc == SQLITE_OK) rc = db_.exec("COMMIT");
  if (rc != SQLITE_OK) db_.rollback();
  return rc;
}

int Tidy::write_segments() {
  const size_t began = at_;
  int rc = at_ < work_.size() ? transaction(&Tidy::insert_chunks) : SQLITE_OK;
  if (rc != SQLITE_OK) {
    at_ = began;
    return rc;
  }
  // Committed first, so that a reader finds them there before they leave memory.
  for (const auto& [key, chunks] : written_) {
    context_.tails.drop(key, chunks);
    context_.figures.segments_written.fetch_add(chunks, std::memory_order_relaxed);
  }
  written_.clear();
  if (at_ >= work_.size()) phase_ = Phase::journal;
  return SQLITE_OK;
}

int Tidy::insert_chunks() {
  written_.clear();
  size_t bytes = 0;
  for (size_t chunk = 0; at_ < work_.size() && bytes < step_bytes;) {
    const auto [key, target] = work_[at_];
    const Tails::Tail* tail = context_.tails.find(key);
    if (!tail || chunk >= tail->chunks.size() || tail->chunks[chunk].first > target) {
      ++at_;
      chunk = 0;
      continue;
    }
    const Tails::Chunk& c = tail->chunks[chunk];
    const int64_t id = segment_id(key, c.first);
    std::string body = encode_segment(id, c.count, c.entries);
    insert_segment_.bind(1, id).bind(2, static_cast<int64_t>(c.last()));
    int rc = insert_segment_.bind(3, static_cast<int64_t>(c.entries.size())).bind_blob(4, body).run();
    if (rc != SQLITE_OK) return rc;
    bytes += body.size();
    if (++chunk == 1) written_.emplace_back(key, 0);
    ++written_.back().second;
  }
  return SQLITE_OK;
}

int Tidy::delete_journal() {
  if (!rows_.empty() && rows_.front().first <= boundary_) {
    int rc = transaction(&Tidy::delete_rows);
    if (rc != SQLITE_OK) return rc;
    for (; rows_deleted_ > 0; --rows_deleted_) {
      journal_bytes_ -= rows_.front().second;
      rows_.pop_front();
    }
    context_.figures.journal_bytes.store(journal_bytes_, std::memory_order_relaxed);
    return SQLITE_OK;
  }
  phase_ = Phase::scrub;
  at_ = 0;
  return SQLITE_OK;
}

int Tidy::delete_rows() {
  rows_deleted_ = 0;
  size_t bytes = 0;
  uint64_t last = 0;
  for (const auto& [id, size] : rows_) {
    if (id > boundary_ || bytes >= step_bytes) break;
    bytes += size;
    last = id;
    ++rows_deleted_;
  }
  return delete_journal_.bind(1, static_cast<int64_t>(rows_.front().first)).bind(2, static_cast<int64_t>(last)).run();
}

int Tidy::scrub_segments() {
  if (at_ < scrubbing_.size()) {
    scrubbed_all_ = false;
    int rc = transaction(&Tidy::delete_segments);
    if (rc == SQLITE_OK && scrubbed_all_) ++at_;
    return rc;
  }
  // Every round empties the WAL afterwards: prompts of ended streams should not stay in a file for long either.
  scrubbing_.empty() ? checkpointer_.request_truncate() : await_truncate();
  end_round();
  return SQLITE_OK;
}

// The WAL still holds what was deleted. This only requests the emptying: the next round does not wait for it.
void Tidy::await_truncate() {
  awaiting_.insert(awaiting_.end(), scrubbing_.begin(), scrubbing_.end());
  checkpointer_.request_truncate();
  truncated_at_ = Clock::now() + truncate_every;
}

int Tidy::delete_segments() {
  const StreamKey key = scrubbing_[at_];
  std::vector<int64_t> ids;
  size_t bytes = 0;
  find_segments_.bind(1, segment_id(key, 0)).bind(2, segment_id(key, max_seq));
  int rc = SQLITE_ROW;
  while (bytes < step_bytes && (rc = find_segments_.step()) == SQLITE_ROW) {
    ids.push_back(find_segments_.integer(0));
    bytes += static_cast<size_t>(find_segments_.integer(1));
  }
  find_segments_.reset();
  if (rc != SQLITE_ROW && rc != SQLITE_DONE) return rc;
  scrubbed_all_ = rc == SQLITE_DONE;
  for (int64_t id : ids) {
    if (rc = delete_segment_.bind(1, id).run(); rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

int Tidy::forget_truncated() {
  truncated_at_ = Clock::now() + truncate_every;
  if (!checkpointer_.truncated()) return SQLITE_OK;
  int rc = transaction(&Tidy::delete_removals);
  if (rc != SQLITE_OK) return rc;
  awaiting_.clear();
  truncated_at_ = Clock::time_point::max();
  return SQLITE_OK;
}

int Tidy::delete_removals() {
  for (StreamKey key : awaiting_) {
    if (int rc = delete_removal_.bind(1, static_cast<int64_t>(key)).run(); rc != SQLITE_OK) return rc;
  }
  return SQLITE_OK;
}

void Tidy::end_round() {
  scrubbing_.clear();
  work_.clear();
  phase_ = Phase::idle;
}

int Tidy::upkeep() {
  upkeep_at_ = Clock::now() + upkeep_every;
  WriteTurn::Held turn(context_.turn, WriteTurn::Who::writer);
  int rc = delete_tombstones_.bind(1, context_.options.wall_ms() - tombstone_ms).run();
  if (rc != SQLITE_OK) return rc;
  // Some free pages are kept for the next journal.
  auto free_pages = db_.integer("PRAGMA freelist_count");
  auto page_bytes = db_.integer("PRAGMA page_size");
  if (!free_pages || !page_bytes) return SQLITE_OK;
  const uint64_t keep = 2 * context_.options.journal_flush_bytes;
  if (static_cast<uint64_t>(*free_pages * *page_bytes) <= keep) return SQLITE_OK;
  upkeep_at_ = Clock::now() + vacuum_every;
  return db_.exec("PRAGMA incremental_vacuum(16)");
}

}  // namespace tokenrelay::storage
