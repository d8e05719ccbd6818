// EventLog: the durable, ordered log of every stream. One interface, several homes (SQLite here; Redis Streams later).
//
// Promise. An event that was reported durable is there, unchanged and in its place, after the process or (at sync level
// `full`) the machine dies. Events of a stream become durable in order. What was never reported durable may be lost.
//
// Threads. Every call is made on the caller's one loop thread and returns at once, never touching the disk. Every
// completion and every Observer call arrives on that thread, handed over through LogOptions::post. A completion is
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

// A stream as it is born. Strings are copied.
struct NewStream {
  std::string stream_id;        // public, unguessable, drawn by the caller; unique
  std::string owner;            // "" is the anonymous principal
  std::string model, provider;  // as shown to clients
  std::string metadata;         // a JSON object, or ""
  std::string request;  // what a restart or a steer needs to call the upstream again; dropped when the stream ends
  std::string idempotency_key;  // already scoped to owner and route by the caller; "" for none
  std::string body_hash;        // of the request's raw bytes; compared when the key is met again
  int64_t created_ms = 0;       // wall clock, Unix epoch
  std::string start;            // payload of the first event, EventKind::start, seq 1
};

struct Created {
  StreamKey key = 0;
  std::string stream_id;  // of the stream that stands: the caller's, or the first one's when the key was met again
  std::string run;        // token of the run that this call began (of the first run, when existing)
  bool existing = false;  // an idempotency key that was known, with the same body: nothing was created
};

// How a stream ended: what its row shows without reading the log. Written in the commit that makes `done` durable.
struct Ending {
  std::string status;       // completed, cancelled, failed, interrupted
  std::string done;         // payload of the terminal event (JSON): finish_reason, usage and error are read from it
  int64_t finished_ms = 0;  // wall clock
};

struct Run {
  std::string token;                // 10 characters of [a-z2-7]
  Seq first_seq = 0, last_seq = 0;  // what it made durable; last_seq < first_seq: nothing
};

struct StreamRow {
  StreamKey key = 0;
  Seq last_seq = 0;       // last durable
  std::vector<Run> runs;  // in order, at least one
  int64_t created_ms = 0, finished_ms = 0;
  uint64_t stored_bytes = 0;  // what it counts for retention by size; 0 while it runs
  std::string stream_id, owner, model, provider, metadata, idempotency_key, body_hash;
  std::string status;        // "" while it runs
  std::string done;          // payload of the terminal event, "" while it runs
  std::string continuation;  // as given to keep_continuation(); only what recovery asks about has it
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

// What the log tells its owner, on the owner's loop thread.
class Observer {
 public:
  virtual ~Observer() = default;
  // After a commit, or after several if the loop had no time between; one entry for each stream in them. `late_ms`: how
  // long the oldest of them has been durable.
  virtual void on_durable(std::span<const Durable> streams, int64_t late_ms) = 0;
  virtual void on_log_state() = 0;  // LogState changed: read state()
};

enum class LogState { healthy, stalled, failed };

// A commit that hangs for over a second shows here as stalled too; nobody can call on_log_state() about that, so poll.
struct LogStatus {
  LogState state = LogState::healthy;
  std::string reason;              // for the operator
  int64_t stalled_ms = 0;          // how long commits have been failing or hanging; 0 when healthy
  int64_t lag_ms = 0;              // how long the oldest event that is not durable has waited
  uint64_t uncommitted_bytes = 0;  // of the whole process
};

// Counters since open, for metrics; read with no lock order to respect, from any thread.
struct LogFigures {
  uint64_t commits = 0, commit_events = 0, commit_bytes = 0, syncs_failed = 0, segments_written = 0, checkpoints = 0;
  uint64_t journal_bytes = 0, wal_bytes = 0, database_bytes = 0, corrupt_rows = 0;
};

// What the log decides about a stream that a dead process left unfinished, before anything else may happen to it.
struct RecoveryDecision {
  bool finish = true;
  Ending ending;         // if finish
  std::string upstream;  // else: payload of the `upstream` event that announces the continuation
};

class EventLog {
 public:
  virtual ~EventLog() = default;

  // Begins a stream: its row, its first run and its start event are durable when `done` is called. A known
  // idempotency key with the same body_hash answers the first stream (twins in flight wait for it); with another
  // body Errc::key_reused.
  virtual void create(NewStream stream, Completion<Created> done) = 0;

  // Appends events seq, seq+1, … (the caller counts; a gap or a repeat is a bug and asserts). Bytes are copied.
  virtual void append(StreamKey key, Seq first, std::span<const EventView> events) = 0;

  // Keeps what a restart needs to go on with this running stream, in the place of what was kept before; "" for nothing.
  // Durable no later than the events that are appended after it. It goes when the stream ends.
  virtual void keep_continuation(StreamKey key, std::string continuation) = 0;

  // Appends the terminal event as `seq` and closes the row in the same commit. Nothing may be appended afterwards.
  virtual void finish(StreamKey key, Seq seq, Ending ending) = 0;

  // Up to about max_bytes (at least one event, if there is one) of what is durable after `after`.
  virtual void read(StreamKey key, Seq after, size_t max_bytes, Completion<std::shared_ptr<const Block>> done) = 0;

  // By public id: the row, or not_found, or gone.
  virtual void find(std::string stream_id, Completion<StreamRow> done) = 0;

  // The stream that a run belongs to: not_found if no stream (that still exists) had that run.
  virtual void find_run(std::string run_token, Completion<StreamRow> done) = 0;

  // The stream that was created under an idempotency key: not_found if there is none (or none that is durable yet).
  virtual void find_key(std::string idempotency_key, Completion<StreamRow> done) = 0;

  // One owner's streams, newest first, those before key `before` (nullopt: from the newest).
  virtual void list(std::string owner, std::optional<StreamKey> before, size_t limit, Completion<Page> done) = 0;

  // The request blob of a running stream, as given to create().
  virtual void request(StreamKey key, Completion<std::string> done) = 0;

  // Removes a finished stream: durably invisible when `done` is called (find() answers gone for 24 h), its bytes out of
  // all files within five minutes.
  virtual void remove(std::string stream_id, int64_t now_ms, Completion<bool> done) = 0;

  // Finished streams that retention may remove now: finished before `finished_before_ms`, or, oldest first, as many as
  // bring the stored bytes under max_bytes. At most `limit`. Removing is the caller's (a stream being read is spared).
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
