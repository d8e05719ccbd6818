// An event log in memory whose commits, failures and delays the test decides. It checks its callers as the real one
// does: a gap, a repeat, or an append after the end throws.
//
// Threads: the test's. Completions come through `post`, as storage/event_log.h promises; the observer is called by
// commit() and report() themselves, which a test never calls from inside the relay.
#pragma once

#include <deque>
#include <map>

#include "storage/event_log.h"

namespace tokenrelay::support {

class MemoryLog final : public storage::EventLog {
 public:
  using Post = std::function<void(std::function<void()>)>;
  using Seq = storage::Seq;
  using StreamKey = storage::StreamKey;

  struct Event {
    storage::EventKind kind;
    std::string payload;
  };
  struct Stored {
    storage::StreamRow row;
    std::string request, continuation;
    std::vector<Event> events;
    Seq durable = 0, reported = 0;
    std::optional<storage::Ending> ending;
  };

  MemoryLog(storage::Observer& observer, Post post) : observer_(observer), post_(std::move(post)) {}

  // --- the script
  void commit() { commit_silently(), report(); }
  void commit_silently();                   // durable and readable, but nobody was told yet
  void report();                            // tells of what became durable since
  void set_state(storage::LogState state);  // and tells the observer
  void release_reads();                     // those that hold_reads kept back
  bool hold_creates = false, hold_reads = false, fail_reads = false, fail_removes = false, lose_requests = false;
  size_t reads = 0;  // that were asked for
  int64_t stalled_ms = 0;
  int64_t late_ms = 0;  // how long the loop had no time for what is durable
  std::vector<std::string> removed;

  Stored& stored(StreamKey key) { return streams_.at(key); }
  Stored& only() { return streams_.begin()->second; }
  size_t size() const { return streams_.size(); }
  bool idle() const { return creating_.empty(); }

  // --- storage::EventLog
  void create(storage::NewStream stream, storage::Completion<storage::Created> done) override;
  void append(StreamKey key, Seq first, std::span<const storage::EventView> events) override;
  void keep_continuation(StreamKey key, std::string continuation) override;
  void finish(StreamKey key, Seq seq, storage::Ending ending) override;
  void read(StreamKey key, Seq after, size_t max_bytes,
            storage::Completion<std::shared_ptr<const storage::Block>> done) override;
  void find(std::string stream_id, storage::Completion<storage::StreamRow> done) override;
  void find_run(std::string run_token, storage::Completion<storage::StreamRow> done) override;
  void find_key(std::string idempotency_key, storage::Completion<storage::StreamRow> done) override;
  void list(std::string owner, std::optional<StreamKey> before, storage::PageLimits limits,
            storage::Completion<storage::Page> done) override;
  void request(StreamKey key, storage::Completion<std::string> done) override;
  void remove(std::string stream_id, int64_t now_ms, storage::Completion<bool> done) override;
  void expired(int64_t finished_before_ms, uint64_t max_bytes, size_t limit,
               storage::Completion<std::vector<storage::StreamRow>> done) override;
  storage::LogStatus status() const override;
  storage::LogFigures figures() const override { return {}; }
  void close() override {}

 private:
  struct Creating {
    storage::NewStream stream;
    storage::Completion<storage::Created> done;
  };
  void make(Creating creating);
  Stored* by_id(const std::string& stream_id);
  storage::Result<storage::StreamRow> row_of(const Stored* stored, const std::string& stream_id) const;
  std::shared_ptr<const storage::Block> block(const Stored& stored, Seq after, size_t max_bytes) const;

  template <typename T>
  void answer(storage::Completion<T> done, storage::Result<T> result) {
    post_([done = std::move(done), result = std::move(result)] { done(result); });
  }

  storage::Observer& observer_;
  Post post_;
  std::map<StreamKey, Stored> streams_;
  std::deque<Creating> creating_;
  std::deque<std::function<void()>> held_reads_;
  storage::LogState state_ = storage::LogState::healthy;
  StreamKey next_key_ = 1;
  uint64_t uncommitted_bytes_ = 0;
};

}  // namespace tokenrelay::support
