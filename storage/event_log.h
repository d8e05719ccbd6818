// EventLog: the durable, ordered log of all streams. An interface, so that other stores can replace SQLite.
//
// Promise. An event that was reported durable is still there, unchanged and in order, after the process or (at sync
// level `full`) the machine dies. A stream's events become durable in order. Events never reported durable may be lost.
//
// Threads. Every call is made on the caller's one loop thread and returns at once, never touching the disk. Every
// completion and every Observer call runs on that thread, passed on through SqliteLogOptions::post. A completion is
// called exactly once, unless the log is destroyed first: then it is destroyed without being called.
//
// Example.
//   log->create({.stream_id = "strm_…", .start = "{…}"}, [=](Result<Created> made) {
//     log->append(made->key, 2, {EventKind::text, "Hel"});     // made->first_seq is 1: the start event
//   });                                                        // Observer::on_durable({key, 2}) says when
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/event.h"
#include "storage/result.h"

namespace tokenrelay::storage {

template <typename T>
using Completion = std::function<void(Result<T>)>;

// A stream to be created. Strings are copied.
struct NewStream {
  std::string stream_id;        // public, unique and unguessable; drawn by the caller
  std::string owner;            // "" is the anonymous principal
  std::string model, provider;  // as shown to clients
  std::string metadata;         // a JSON object, or ""
  std::string request;  // what a restart or a steer needs to call the upstream again; dropped when the stream ends
  std::string idempotency_key;  // already scoped to owner and route by the caller; "": none
  std::string body_hash;        // of the request's raw bytes; compared when the key is used again
  int64_t created_ms = 0;       // wall clock, Unix epoch
  std::string start;            // payload of the first event, EventKind::start, seq 1
};

struct Created {
  StreamKey key = 0;
  std::string stream_id;  // the caller's, or the first stream's if the key was used before
  std::string run;        // token of the run that this call began (if existing: of the first run)
  bool existing = false;  // the idempotency key was used before with the same body: nothing was created
};

// How a stream ended, for its row, so that the log need not be read. Written in the commit that makes `done` durable.
struct Ending {
  std::string status;       // completed, cancelled, failed, interrupted
  std::string done;         // payload of the terminal event (JSON), with finish_reason, usage and error
  int64_t finished_ms = 0;  // wall clock
};

struct Run {
  std::string token;                // 10 characters of [a-z2-7]
  Seq first_seq = 0, last_seq = 0;  // its durable events; last_seq < first_seq: none
};

struct StreamRow {
  StreamKey key = 0;
  Seq last_seq = 0;       // last durable
  std::vector<Run> runs;  // in order, at least one
  int64_t created_ms = 0, finished_ms = 0;
  uint64_t stored_bytes = 0;  // its size for retention; 0 while it runs
  std::string stream_id, owner, model, provider, metadata, idempotency_key, body_hash;
  std::string status;        // "" while it runs
  std::string done;          // payload of the terminal event, "" while it runs
  std::string continuation;  // as given to keep_continuation(); set only for the recovery callback

  size_t text_bytes() const { return metadata.size() + done.size(); }  // what may be large
};

struct PageLimits {
  size_t rows;
  size_t bytes = SIZE_MAX;  // of what the rows hold; a page has at least one row, however large
};

struct Page {
  std::vector<StreamRow> rows;    // newest first
  std::optional<StreamKey> next;  // pass as `before` for the following page
};

struct Durable {
  StreamKey key;
  Seq seq;  // everything up to here is durable
  bool operator==(const Durable&) const = default;
};

// The log's notifications to its owner, on the owner's loop thread.
class Observer {
 public:
  virtual ~Observer() = default;
  // After a commit, or after several if the loop was busy; one entry for each stream in them. `late_ms`: how long the
  // oldest of them has been durable.
  virtual void on_durable(std::span<const Durable> streams, int64_t late_ms) = 0;
  virtual void on_log_state() = 0;  // the state changed: call state()
};

enum class LogState { healthy, stalled, failed };

inline constexpr int64_t slow_commit_ms = 5'000;

// Stalled or failed: stalled_ms says since when. Healthy: 0, or over slow_commit_ms if a commit hangs, which the disk
// may yet complete. on_log_state() is not called for that, so poll.
struct LogStatus {
  LogState state = LogState::healthy;
  std::string reason;              // for the operator
  int64_t stalled_ms = 0;          // how long commits have been failing, or the one under way has been hanging
  int64_t lag_ms = 0;              // how long the oldest event has waited for its commit
  uint64_t uncommitted_bytes = 0;  // of the whole process
};

// Counters since open, for metrics. May be read from any thread, under any lock.
struct LogFigures {
  uint64_t commits = 0, commit_events = 0, commit_bytes = 0, syncs_failed = 0, segments_written = 0, checkpoints = 0;
  uint64_t journal_bytes = 0, wal_bytes = 0, database_bytes = 0, corrupt_rows = 0;
};

// The decision about a stream that a dead process left unfinished, made before anything else can happen to it.
struct RecoveryDecision {
  bool finish = true;
  Ending ending;             // if finish
  std::string upstream;      // else: payload of the `upstream` event that announces the continuation
  std::string continuation;  // else: what takes the place of the row's, durable with that event; "": it stays
};

class EventLog {
 public:
  virtual ~EventLog() = default;

  // Creates a stream: its row, its first run and its start event are durable when `done` is called. A known idempotency
  // key with the same body_hash gives the first stream (simultaneous requests wait for it); with another body it is
  // Errc::key_reused.
  virtual void create(NewStream stream, Completion<Created> done) = 0;

  // Appends events seq, seq+1, … The caller counts: a gap or a repeat is a bug and asserts. Bytes are copied.
  virtual void append(StreamKey key, Seq first, std::span<const EventView> events) = 0;

  // Stores what a restart needs to continue this running stream, replacing what was stored before; "" removes it.
  // Durable no later than the events appended after it. Removed when the stream ends.
  virtual void keep_continuation(StreamKey key, std::string continuation) = 0;

  // Appends the terminal event as `seq` and closes the row in the same commit. Nothing may be appended after it.
  virtual void finish(StreamKey key, Seq seq, Ending ending) = 0;

  // The durable events after `after`: about max_bytes of them, and at least one if there is one.
  virtual void read(StreamKey key, Seq after, size_t max_bytes, Completion<std::shared_ptr<const Block>> done) = 0;

  // By public id: the row, or not_found, or gone.
  virtual void find(std::string stream_id, Completion<StreamRow> done) = 0;

  // The stream that a run belongs to; not_found if no existing stream had that run.
  virtual void find_run(std::string run_token, Completion<StreamRow> done) = 0;

  // The stream that was created with an idempotency key; not_found if there is none, or none that is durable yet.
  virtual void find_key(std::string idempotency_key, Completion<StreamRow> done) = 0;

  // One owner's streams with keys below `before` (nullopt: all), newest first.
  virtual void list(std::string owner, std::optional<StreamKey> before, PageLimits limits, Completion<Page> done) = 0;

  // The request blob of a running stream, as given to create().
  virtual void request(StreamKey key, Completion<std::string> done) = 0;

  // Removes a finished stream: it is durably invisible when `done` is called (find() then gives gone for 24 h), and its
  // bytes have left all files within five minutes.
  virtual void remove(std::string stream_id, int64_t now_ms, Completion<bool> done) = 0;

  // Finished streams that retention may remove now: those finished before `finished_before_ms`, and, oldest first, as
  // many as bring the stored bytes under max_bytes. At most `limit`, without metadata and done. The caller removes them
  // (not those being read).
  virtual void expired(int64_t finished_before_ms, uint64_t max_bytes, size_t limit,
                       Completion<std::vector<StreamRow>> done) = 0;

  virtual uint64_t uncommitted_bytes() const {
    return status().uncommitted_bytes;
  }                                        // any thread; cheap: the token path asks
  virtual LogStatus status() const = 0;    // loop thread
  virtual LogFigures figures() const = 0;  // any thread

  // Commits what is queued and stops the log's threads; no call may follow. Blocks.
  virtual void close() = 0;
};

}  // namespace tokenrelay::storage
