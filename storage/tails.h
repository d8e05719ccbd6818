// The events that are durable but not yet in segments: the journal's events, by stream, in memory.
//
// Bounded by the journal (SqliteLogOptions::journal_flush_bytes, plus what is written while it is flushed). Only the
// writer thread changes it, so it reads without the lock; other threads read under the lock, briefly.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "storage/event_log.h"
#include "storage/journal.h"
#include "storage/key_table.h"

namespace tokenrelay::storage {

class Tails {
 public:
  struct Chunk {
    Seq first = 0;
    uint32_t count = 0;
    std::string entries;  // at most segment_bytes, or one event: a chunk becomes a segment as it is

    Seq last() const { return first + count - 1; }
  };
  struct Tail {
    Seq last = 0;           // last durable seq of the stream, in memory or not
    bool finished = false;  // the terminal event is durable
    uint64_t commit = 0;    // the last commit that reached it …
    size_t place = 0;       // … and its index in `reached`
    std::vector<Chunk> chunks;
  };

  // Writer thread. A stream must be known (open) before its events come.
  void open(StreamKey key, Seq last);
  void forget(StreamKey key);
  void finish(StreamKey key);
  // Appends what a committed row holds; `reached` gets each stream once, with its new end. Records of unknown streams
  // are skipped: a stream may have been removed while its row waited.
  void commit(std::string_view records, uint64_t commit, std::vector<Durable>& reached);
  void append(const Record& record);
  // The stream's first `chunks` chunks are in segments now. Drops a finished stream without chunks.
  void drop(StreamKey key, size_t chunks);
  const Tail* find(StreamKey key) const;   // without the lock
  std::vector<StreamKey> waiting() const;  // streams with chunks

  // Any thread. `here` false: not in memory; the segments have it, if anything does.
  struct Answer {
    bool here = false;
    std::shared_ptr<const Block> block;
  };
  Answer read(StreamKey key, Seq after, size_t max_bytes) const;
  struct End {
    Seq last;
    bool finished;
  };
  std::optional<End> end(StreamKey key) const;
  uint64_t bytes() const;

 private:
  void append_locked(Tail& tail, const Record& record);

  mutable std::mutex mutex_;
  KeyTable<Tail> tails_;
  uint64_t bytes_ = 0;
};

}  // namespace tokenrelay::storage
