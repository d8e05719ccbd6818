// Reads the database on separate threads. Each thread has its own connection; a snapshot lasts for one job, never
// across a completion. The callers bound the queue of jobs: one per waiting reader.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "storage/database.h"
#include "storage/log_context.h"
#include "storage/stream_rows.h"

namespace tokenrelay::storage {

// One thread's connection, with the queries it can answer.
class ReadSession {
 public:
  ReadSession(LogContext& context, Database db) : context_(context), db_(std::move(db)) {}
  int prepare();

  Result<std::shared_ptr<const Block>> read(StreamKey key, Seq after, size_t max_bytes);
  Result<StreamRow> find(const std::string& stream_id);
  Result<StreamRow> find_run(const std::string& token);
  Result<StreamRow> find_key(const std::string& idempotency_key);
  Result<Page> list(const std::string& owner, std::optional<StreamKey> before, PageLimits limits);
  Result<std::string> request(StreamKey key);
  Result<std::vector<StreamRow>> expired(int64_t finished_before_ms, uint64_t max_bytes, size_t limit);

 private:
  bool complete(StreamRow& row);
  Result<StreamRow> row(int (StreamRows::*by)(const std::string&, StreamRow&), const std::string& name);

  LogContext& context_;
  Database db_;
  StreamRows rows_;
  Statement exists_, segment_, request_;
};

class Reader {
 public:
  using Job = std::function<void(ReadSession&)>;

  explicit Reader(LogContext& context) : context_(context) {}
  ~Reader() { stop(); }

  Result<void> start(int threads);
  void stop();  // destroys the jobs that did not run
  void submit(Job job);

 private:
  void run(ReadSession& session);

  LogContext& context_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Job> jobs_;
  bool stop_ = false;
  std::vector<std::unique_ptr<ReadSession>> sessions_;
  std::vector<std::thread> threads_;
};

}  // namespace tokenrelay::storage
