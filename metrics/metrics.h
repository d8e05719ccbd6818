// Metrics: everything the relay counts, in one place. All metrics are defined in metrics/definitions.cc, with names,
// help, labels and buckets.
//
// Threads. Every method may be called from any thread. delta(), lag(), loop_turn() and ModelMetrics are the token
// path: a few relaxed atomic adds, no lock, no lookup. The others take a mutex that is held for a map lookup.
// Bounds. Labels never hold an id. A model that is not on the list of known models becomes "other", and so does a
// status, code, reason or route beyond the bound of its family.
// Scraping. exposition() first runs the samplers (on the calling thread), then reads /proc for the process metrics.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "metrics/longest.h"
#include "metrics/model_metrics.h"
#include "metrics/tally.h"

namespace tokenrelay::metrics {

enum class DeltaKind { text, reasoning, tool_call };
enum class Transport { sse, websocket };
enum class Verdict { start, exact, reset };
enum class LogState { healthy, stalled, failed };

// The event log's figures; the counters count from the opening of the log.
struct LogSample {
  LogState state = LogState::healthy;
  double stalled_seconds = 0;
  uint64_t uncommitted_bytes = 0, journal_bytes = 0, wal_bytes = 0, database_bytes = 0;
  uint64_t corrupt_rows = 0, syncs_failed = 0, segments_written = 0, checkpoints = 0;
};

class Metrics {
 public:
  explicit Metrics(std::string_view version, const std::vector<std::string>& known_models = {});
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  void set_known_models(const std::vector<std::string>& models);  // at most 100 are kept; for a reload

  // Streams and generations.
  void stream_created();
  void stream_ended(std::string_view status);  // completed, cancelled, failed, interrupted
  void stream_failed(std::string_view code);   // done.error.code, beside stream_ended("failed")
  void generation_began();
  void generation_ended();
  // By model and upstream: times and tokens, and how each generation ended (ok, cancelled, or an error code).
  ModelMetrics& of_model(std::string_view model, std::string_view upstream);
  void generation_outcome(std::string_view model, std::string_view upstream, std::string_view outcome);

  // The token path.
  void delta(DeltaKind kind, size_t bytes) {
    Deltas& of_kind = deltas_[static_cast<size_t>(kind)];
    of_kind.count.add();
    of_kind.bytes.add(bytes);
  }
  void own_event(size_t bytes) {  // what a provider sent, kept as it was
    own_events_.add();
    own_bytes_.add(bytes);
  }
  void lag(uint64_t events_behind) { lag_.observe(events_behind); }  // at each write to a reader: durable minus written

  // The log. Called from the writer thread after each commit.
  void commit(double seconds, double waited_seconds, size_t events, size_t bytes);

  // Readers.
  void subscriber_joined(Transport transport);
  void subscriber_left(Transport transport);
  void resumed(Verdict verdict);
  void replayed(uint64_t events) { replayed_.add(events); }  // sent from the log to a reader behind the live end
  void merged(uint64_t events) { merged_.add(events); }      // deltas sent merged into another event
  void heartbeat() { heartbeats_.add(); }
  void cut(std::string_view reason);  // slow_reader, shutdown, retention, log_failed, overload, …

  // Upstream. code: "ok" or a failure code.
  void upstream_result(std::string_view provider, std::string_view code);
  void upstream_retry(std::string_view provider);

  // Commands. kind: cancel, steer, …; transport: http, websocket; outcome: ok or the refusal's code.
  void command(std::string_view kind, std::string_view transport, std::string_view outcome);
  void cancel_closed(double seconds);  // from a cancel until the upstream connection is closed
  void websocket_opened();
  void websocket_closed(int code);  // RFC 6455 7.4; 1006: without a close frame
  void websocket_message(bool received);

  // HTTP. route: the pattern, not the path ("/v1/streams/{id}"); "other" if none matched.
  // seconds: from the complete head to the answer's head (for an event stream: not to its end).
  void http_request(std::string_view route, std::string_view method, int status, double seconds);
  void connection_accepted() { accepted_.add(); }
  void connection_refused(std::string_view reason);  // limit, descriptors, framing, head_timeout, …

  // A turn of the loop, from the return of its wait for events to its next wait. Turns of a millisecond and more also
  // count for the longest of the last minute.
  void loop_turn(int64_t wall_ns, int64_t cpu_ns) {
    turns_.observe(static_cast<uint64_t>(wall_ns));
    if (wall_ns >= 1'000'000) long_turn(wall_ns, cpu_ns);
  }

  // Values that live elsewhere: set by samplers at scrape time.
  void set_connections(double open);
  void set_streams(double live, double queued);
  void set_whole_reads(uint64_t held_bytes, uint64_t refused);
  void set_ready(bool ready);
  void set_log(const LogSample& sample);
  void set_log_lines_dropped(uint64_t lines);  // of the process's log on standard error
  void on_scrape(std::function<void(Metrics&)> sampler);

  std::string exposition();  // Prometheus text format 0.0.4
  static constexpr std::string_view content_type = "text/plain; version=0.0.4; charset=utf-8";

 private:
  struct Families;
  struct Deltas {
    Tally count, bytes;
  };
  void fold();
  void long_turn(int64_t wall_ns, int64_t cpu_ns);

  void fold_models();

  static const std::array<uint64_t, 11> lag_bounds;   // events
  static const std::array<uint64_t, 15> turn_bounds;  // nanoseconds

  std::array<Deltas, 3> deltas_;
  ModelTallies models_;
  Spread<11> lag_{lag_bounds};
  Spread<15> turns_{turn_bounds};
  Longest stall_, stall_cpu_;  // seconds
  Tally own_events_, own_bytes_, replayed_, merged_, heartbeats_, accepted_;
  std::vector<std::function<void(Metrics&)>> samplers_;
  std::unique_ptr<Families> families_;
};

}  // namespace tokenrelay::metrics
