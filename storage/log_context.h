// What the threads of one SQLite log share.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "storage/health.h"
#include "storage/sqlite_event_log.h"
#include "storage/tails.h"
#include "storage/write_turn.h"

namespace tokenrelay::storage {

struct Figures {
  std::atomic<uint64_t> commits{0}, commit_events{0}, commit_bytes{0}, syncs_failed{0}, segments_written{0},
      checkpoints{0}, journal_bytes{0}, wal_bytes{0}, database_bytes{0}, corrupt_rows{0};
  std::atomic<uint64_t> stored_bytes{0};  // of finished streams that exist
};

// Closed on the loop thread when the log is destroyed: calls still on their way to the loop are then dropped.
struct Gate {
  bool open = true;
};

class Outbox {
 public:
  Outbox(std::function<void(std::function<void()>)> post, std::shared_ptr<Gate> gate)
      : post_(std::move(post)), gate_(std::move(gate)) {}

  void send(std::function<void()> call) const {
    post_([gate = gate_, call = std::move(call)] {
      if (gate->open) call();
    });
  }

  // The completion and its result travel together, and the completion is destroyed on the loop.
  template <typename T>
  void complete(Completion<T> done, Result<T> result) const {
    auto both = std::make_shared<std::pair<Completion<T>, Result<T>>>(std::move(done), std::move(result));
    send([both] { both->first(std::move(both->second)); });
  }

 private:
  std::function<void(std::function<void()>)> post_;
  std::shared_ptr<Gate> gate_;
};

struct LogContext {
  LogContext(SqliteLogOptions o, std::shared_ptr<Gate> gate, std::function<void()> state_changed)
      : options(std::move(o)), outbox(options.post, std::move(gate)), health(std::move(state_changed)) {}

  void report(int level, const std::string& text) const {
    if (options.report) options.report(level, text);
  }
  std::string path() const { return options.directory + "/log.db"; }

  SqliteLogOptions options;
  Outbox outbox;
  Health health;
  Tails tails;
  WriteTurn turn;
  Figures figures;
};

}  // namespace tokenrelay::storage
