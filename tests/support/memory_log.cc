#include "tests/support/memory_log.h"

#include <algorithm>
#include <stdexcept>

namespace tokenrelay::support {

using storage::Errc;
using storage::Error;

namespace {

std::string run_token(storage::StreamKey key) {
  std::string token(10, 'a');
  for (size_t i = token.size(); key > 0 && i-- > 0; key /= 26) token[i] = static_cast<char>('a' + key % 26);
  return token;
}

}  // namespace

void MemoryLog::create(storage::NewStream stream, storage::Completion<storage::Created> done) {
  if (state_ != storage::LogState::healthy) {
    return answer<storage::Created>(std::move(done), tl::make_unexpected(Error{Errc::log_stalled, "as scripted"}));
  }
  creating_.push_back({std::move(stream), std::move(done)});
  if (!hold_creates) commit_silently();
}

void MemoryLog::make(Creating creating) {
  auto& [stream, done] = creating;
  for (auto& [key, stored] : streams_) {
    if (stream.idempotency_key.empty() || stored.row.idempotency_key != stream.idempotency_key) continue;
    if (stored.row.body_hash != stream.body_hash) {
      return answer<storage::Created>(std::move(done), tl::make_unexpected(Error{Errc::key_reused, ""}));
    }
    return answer<storage::Created>(std::move(done),
                                    storage::Created{key, stored.row.stream_id, stored.row.runs[0].token, true});
  }
  const StreamKey key = next_key_++;
  Stored& made = streams_[key];
  made.row.key = key;
  made.row.stream_id = stream.stream_id;
  made.row.owner = stream.owner;
  made.row.model = stream.model;
  made.row.provider = stream.provider;
  made.row.metadata = stream.metadata;
  made.row.idempotency_key = stream.idempotency_key;
  made.row.body_hash = stream.body_hash;
  made.row.created_ms = stream.created_ms;
  made.row.last_seq = 1;
  made.row.runs = {{run_token(key), 1, 1}};
  made.request = stream.request;
  made.events.push_back({storage::EventKind::start, stream.start});
  made.durable = made.reported = 1;
  answer<storage::Created>(std::move(done), storage::Created{key, stream.stream_id, made.row.runs[0].token, false});
}

void MemoryLog::append(StreamKey key, Seq first, std::span<const storage::EventView> events) {
  Stored& to = streams_.at(key);
  if (to.ending) throw std::logic_error("an append after the end");
  for (const auto& event : events) {
    if (first++ != to.events.size() + 1) throw std::logic_error("a gap or a repeat");
    to.events.push_back({event.kind, std::string(event.payload)});
    uncommitted_bytes_ += event.payload.size();
  }
}

void MemoryLog::keep_continuation(StreamKey key, std::string continuation) {
  Stored& to = streams_.at(key);
  if (to.ending) throw std::logic_error("a continuation after the end");
  to.continuation = std::move(continuation);
}

void MemoryLog::finish(StreamKey key, Seq seq, storage::Ending ending) {
  const storage::EventView done{storage::EventKind::done, ending.done};
  append(key, seq, {&done, 1});
  streams_.at(key).ending = std::move(ending);
}

void MemoryLog::commit_silently() {
  while (!creating_.empty()) {
    auto first = std::move(creating_.front());
    creating_.pop_front();
    make(std::move(first));
  }
  for (auto& [key, stored] : streams_) {
    stored.durable = stored.row.last_seq = stored.row.runs.back().last_seq = stored.events.size();
    if (!stored.ending) continue;
    stored.row.status = stored.ending->status;
    stored.row.done = stored.ending->done;
    stored.row.finished_ms = stored.ending->finished_ms;
  }
  uncommitted_bytes_ = 0;
}

void MemoryLog::report() {
  std::vector<storage::Durable> durable;
  for (auto& [key, stored] : streams_) {
    if (stored.durable > stored.reported) durable.push_back({key, stored.reported = stored.durable});
  }
  if (!durable.empty()) observer_.on_durable(durable, late_ms);
}

void MemoryLog::set_state(storage::LogState state) {
  state_ = state;
  observer_.on_log_state();
}

std::shared_ptr<const storage::Block> MemoryLog::block(const Stored& stored, Seq after, size_t max_bytes) const {
  auto block = std::make_shared<storage::Block>();
  for (Seq seq = after + 1; seq <= stored.durable && (block->entries.empty() || block->bytes.size() < max_bytes);
       ++seq) {
    const Event& event = stored.events[seq - 1];
    block->entries.push_back(
        {seq, event.kind, static_cast<uint32_t>(block->bytes.size()), static_cast<uint32_t>(event.payload.size())});
    block->bytes += event.payload;
  }
  return block;
}

void MemoryLog::read(StreamKey key, Seq after, size_t max_bytes,
                     storage::Completion<std::shared_ptr<const storage::Block>> done) {
  ++reads;
  auto read = [this, key, after, max_bytes, done = std::move(done)] {
    if (fail_reads || !streams_.contains(key)) return done(tl::make_unexpected(Error{Errc::io, "as scripted"}));
    done(block(streams_.at(key), after, max_bytes));
  };
  if (hold_reads) {
    held_reads_.push_back(std::move(read));
  } else {
    post_(std::move(read));
  }
}

void MemoryLog::release_reads() {
  hold_reads = false;
  for (auto& read : std::exchange(held_reads_, {})) post_(std::move(read));
}

MemoryLog::Stored* MemoryLog::by_id(const std::string& stream_id) {
  for (auto& [key, stored] : streams_) {
    if (stored.row.stream_id == stream_id) return &stored;
  }
  return nullptr;
}

storage::Result<storage::StreamRow> MemoryLog::row_of(const Stored* stored, const std::string& stream_id) const {
  if (stored) return stored->row;
  const bool gone = std::find(removed.begin(), removed.end(), stream_id) != removed.end();
  return tl::make_unexpected(Error{gone ? Errc::gone : Errc::not_found, ""});
}

void MemoryLog::find(std::string stream_id, storage::Completion<storage::StreamRow> done) {
  answer<storage::StreamRow>(std::move(done), row_of(by_id(stream_id), stream_id));
}

void MemoryLog::find_run(std::string token, storage::Completion<storage::StreamRow> done) {
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [&](const auto& s) { return s.second.row.runs[0].token == token; });
  answer<storage::StreamRow>(std::move(done), row_of(found == streams_.end() ? nullptr : &found->second, ""));
}

void MemoryLog::find_key(std::string idempotency_key, storage::Completion<storage::StreamRow> done) {
  const auto found = std::find_if(streams_.begin(), streams_.end(), [&](const auto& s) {
    return !idempotency_key.empty() && s.second.row.idempotency_key == idempotency_key;
  });
  answer<storage::StreamRow>(std::move(done), row_of(found == streams_.end() ? nullptr : &found->second, ""));
}

void MemoryLog::list(std::string owner, std::optional<StreamKey> before, storage::PageLimits limits,
                     storage::Completion<storage::Page> done) {
  storage::Page page;
  size_t bytes = 0;
  for (auto it = streams_.rbegin(); it != streams_.rend(); ++it) {
    if (it->second.row.owner != owner || (before && it->first >= *before)) continue;
    bytes += it->second.row.text_bytes();
    if (page.rows.size() == limits.rows || (!page.rows.empty() && bytes > limits.bytes)) {
      page.next = page.rows.back().key;
      break;
    }
    page.rows.push_back(it->second.row);
  }
  answer<storage::Page>(std::move(done), std::move(page));
}

void MemoryLog::request(StreamKey key, storage::Completion<std::string> done) {
  if (lose_requests) return answer<std::string>(std::move(done), tl::make_unexpected(Error{Errc::io, "as scripted"}));
  answer<std::string>(std::move(done), streams_.at(key).request);
}

void MemoryLog::remove(std::string stream_id, int64_t, storage::Completion<bool> done) {
  const Stored* stored = by_id(stream_id);
  if (fail_removes) return answer<bool>(std::move(done), tl::make_unexpected(Error{Errc::log_stalled, "as scripted"}));
  if (!stored) return answer<bool>(std::move(done), tl::make_unexpected(row_of(nullptr, stream_id).error()));
  if (stored->row.status.empty()) throw std::logic_error("a running stream was removed");
  removed.push_back(stream_id);
  streams_.erase(stored->row.key);
  answer<bool>(std::move(done), true);
}

void MemoryLog::expired(int64_t finished_before_ms, uint64_t max_bytes, size_t limit,
                        storage::Completion<std::vector<storage::StreamRow>> done) {
  uint64_t bytes = 0;
  for (const auto& [key, stored] : streams_) {
    for (const auto& event : stored.events) bytes += event.payload.size();
  }
  std::vector<storage::StreamRow> rows;
  for (const auto& [key, stored] : streams_) {
    if (rows.size() == limit || stored.row.status.empty()) continue;
    if (stored.row.finished_ms >= finished_before_ms && bytes <= max_bytes) continue;
    for (const auto& event : stored.events) bytes -= std::min<uint64_t>(bytes, event.payload.size());
    rows.push_back(stored.row);
  }
  answer<std::vector<storage::StreamRow>>(std::move(done), std::move(rows));
}

storage::LogStatus MemoryLog::status() const {
  storage::LogStatus status;
  status.state = state_;
  status.stalled_ms = state_ == storage::LogState::healthy ? stalled_ms : std::max<int64_t>(1, stalled_ms);
  status.uncommitted_bytes = uncommitted_bytes_;
  return status;
}

}  // namespace tokenrelay::support
