#include "storage/tails.h"

#include <algorithm>
#include <cassert>

#include "storage/segment.h"

namespace tokenrelay::storage {

void Tails::open(StreamKey key, Seq last) {
  std::lock_guard lock(mutex_);
  tails_[key].last = last;
}

void Tails::forget(StreamKey key) {
  std::lock_guard lock(mutex_);
  const Tail* const tail = tails_.find(key);
  if (tail == nullptr) return;
  for (const auto& c : tail->chunks) bytes_ -= c.entries.size();
  tails_.erase(key);
}

void Tails::finish(StreamKey key) {
  std::lock_guard lock(mutex_);
  Tail* const tail = tails_.find(key);
  if (tail == nullptr) return;
  tail->finished = true;
  if (tail->chunks.empty()) tails_.erase(key);
}

void Tails::commit(std::string_view records, uint64_t commit, std::vector<Durable>& reached) {
  std::lock_guard lock(mutex_);
  RecordReader walk(records);
  for (Record r; walk.next(r);) {
    Tail* const tail = tails_.find(r.key);
    if (tail == nullptr) continue;
    append_locked(*tail, r);
    if (tail->commit != commit) {
      tail->commit = commit;
      tail->place = reached.size();
      reached.push_back({r.key, 0});
    }
    reached[tail->place].seq = tail->last;
  }
}

void Tails::append(const Record& record) {
  std::lock_guard lock(mutex_);
  if (Tail* const tail = tails_.find(record.key)) append_locked(*tail, record);
}

void Tails::append_locked(Tail& tail, const Record& record) {
  assert(record.first == tail.last + 1);
  EntryReader walk(record.entries);
  for (EventView e; walk.next(e);) {
    size_t size = entry_head + e.payload.size();
    if (tail.chunks.empty() || tail.chunks.back().entries.size() + size > segment_bytes) {
      tail.chunks.push_back({tail.last + 1, 0, {}});
    }
    Chunk& chunk = tail.chunks.back();
    // Doubling would waste as much memory as the text of a thousand streams takes.
    const size_t needed = chunk.entries.size() + size;
    if (needed > chunk.entries.capacity()) chunk.entries.reserve(needed + std::max<size_t>(256, needed / 4));
    chunk.entries.append(e.payload.data() - entry_head, size);
    ++chunk.count;
    ++tail.last;
    bytes_ += size;
  }
}

void Tails::drop(StreamKey key, size_t chunks) {
  std::lock_guard lock(mutex_);
  Tail* const tail = tails_.find(key);
  if (tail == nullptr) return;
  auto& all = tail->chunks;
  for (size_t i = 0; i < chunks; ++i) bytes_ -= all[i].entries.size();
  all.erase(all.begin(), all.begin() + static_cast<ptrdiff_t>(chunks));
  if (all.empty() && tail->finished) tails_.erase(key);
}

const Tails::Tail* Tails::find(StreamKey key) const {
  return tails_.find(key);
}

std::vector<StreamKey> Tails::waiting() const {
  std::vector<StreamKey> keys;
  tails_.each([&](StreamKey key, const Tail& tail) {
    if (!tail.chunks.empty()) keys.push_back(key);
  });
  return keys;
}

Tails::Answer Tails::read(StreamKey key, Seq after, size_t max_bytes) const {
  auto block = std::make_shared<Block>();
  std::lock_guard lock(mutex_);
  const Tail* const found = tails_.find(key);
  if (found == nullptr) return {};
  const Tail& tail = *found;
  if (after >= tail.last) return {true, std::move(block)};
  if (tail.chunks.empty() || tail.chunks.front().first > after + 1) return {};
  auto chunk = std::upper_bound(tail.chunks.begin(), tail.chunks.end(), after + 1,
                                [](Seq seq, const Chunk& c) { return seq < c.first; });
  for (--chunk; chunk != tail.chunks.end(); ++chunk) {
    size_t before = block->entries.size();
    fill_block(*block, chunk->entries, chunk->first, after + 1, max_bytes);
    bool whole = block->entries.size() > before && block->entries.back().seq == chunk->last();
    if (!whole || block->bytes.size() >= max_bytes) break;
  }
  return {true, std::move(block)};
}

std::optional<Tails::End> Tails::end(StreamKey key) const {
  std::lock_guard lock(mutex_);
  const Tail* const tail = tails_.find(key);
  if (tail == nullptr) return std::nullopt;
  return End{tail->last, tail->finished};
}

uint64_t Tails::bytes() const {
  std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace tokenrelay::storage
