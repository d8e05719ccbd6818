#include "metrics/definitions.h"

namespace tokenrelay::metrics {

const std::array<uint64_t, 11> Metrics::lag_bounds = {0, 1, 4, 16, 64, 256, 1024, 4096, 16'384, 65'536, 262'144};
const std::array<uint64_t, 15> Metrics::turn_bounds = {
    50'000,     100'000,    250'000,     500'000,     1'000'000,   2'500'000,     5'000'000,    10'000'000,
    20'000'000, 50'000'000, 100'000'000, 250'000'000, 500'000'000, 1'000'000'000, 5'000'000'000};

namespace {

template <size_t N>
Histogram::BucketBoundaries scaled(const std::array<uint64_t, N>& bounds, double per_unit) {
  Histogram::BucketBoundaries scaled;
  for (const uint64_t bound : bounds) scaled.push_back(static_cast<double>(bound) / per_unit);
  return scaled;
}

const Histogram::BucketBoundaries commit_seconds_bounds = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
                                                           0.05,   0.1,     0.25,   0.5,   1,      5,     30};
const Histogram::BucketBoundaries commit_events_bounds = {1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000};
const Histogram::BucketBoundaries commit_bytes_bounds = {256,    1024,    4096,    16384,   65536,
                                                         262144, 1048576, 4194304, 16777216};
const Histogram::BucketBoundaries request_seconds_bounds = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                            0.1,    0.25,  0.5,    1,     2.5,  10,    60};

}  // namespace

Metrics::Families::Families(std::string_view version)
    : streams_created(counter("tokenrelay_streams_created_total", "Streams created.")),
      streams_ended(counters("tokenrelay_streams_ended_total", "Streams ended, by terminal status.", {"status"}, 8)),
      streams_failed(counters("tokenrelay_streams_failed_total", "Streams that failed, by error code.", {"code"}, 32)),
      streams_live(gauge("tokenrelay_streams_live", "Streams that have not ended.")),
      streams_queued(gauge("tokenrelay_streams_queued", "Streams waiting for an upstream slot.")),
      generations_active(gauge("tokenrelay_generations_active", "Upstream calls in progress.")),
      generations_started(counter("tokenrelay_generations_started_total", "Upstream calls started.")),
      generations_ended(counters("tokenrelay_generations_ended_total",
                                 "Upstream calls ended, by outcome (ok, cancelled or an error code).",
                                 {"model", "upstream", "outcome"}, 512)),
      tokens(counters("tokenrelay_tokens_total",
                      "Tokens as the providers report them, by kind: cached is a part of input, reasoning of output.",
                      {"kind", "model", "upstream"}, 4 * (ModelTallies::most + 1))),
      first_token(histograms("tokenrelay_first_token_seconds",
                             "Time from the start of a generation to its first delta.", {"model", "upstream"},
                             ModelTallies::most + 1, scaled(first_token_bounds, 1e9))),
      inter_delta(histograms("tokenrelay_inter_delta_seconds", "Time between consecutive deltas of a generation.",
                             {"model", "upstream"}, ModelTallies::most + 1, scaled(inter_delta_bounds, 1e9))),
      deltas(counters("tokenrelay_deltas_total", "Deltas from upstream, by kind.", {"kind"}, 3)),
      delta_bytes(counters("tokenrelay_delta_bytes_total", "Bytes of deltas from upstream, by kind.", {"kind"}, 3)),
      commit_duration(histogram("tokenrelay_commit_duration_seconds",
                                "Time from the start of a group commit until it is durable.", commit_seconds_bounds)),
      commit_wait(histogram("tokenrelay_commit_wait_seconds",
                            "Time from the queueing of a commit's oldest event until it is durable.",
                            commit_seconds_bounds)),
      commit_events(histogram("tokenrelay_commit_events", "Events in a group commit.", commit_events_bounds)),
      commit_bytes(histogram("tokenrelay_commit_bytes", "Bytes in a group commit.", commit_bytes_bounds)),
      log_states(prometheus::BuildGauge()
                     .Name("tokenrelay_log_state")
                     .Help("1 for the current state of the event log, 0 for the others.")
                     .Register(registry)),
      log_stalled(
          gauge("tokenrelay_log_stalled_seconds", "How long the event log has been unable to commit; 0 if it can.")),
      log_uncommitted(gauge("tokenrelay_log_uncommitted_bytes", "Bytes appended but not yet durable.")),
      journal_bytes(gauge("tokenrelay_journal_bytes", "Bytes in the event log's journal.")),
      wal_bytes(gauge("tokenrelay_wal_bytes", "Size of the event log's write-ahead file.")),
      database_bytes(gauge("tokenrelay_database_bytes", "Size of the event log's database file.")),
      corrupt_rows(counter("tokenrelay_log_corrupt_rows_total", "Stored rows whose checksum was wrong.")),
      syncs_failed(counter("tokenrelay_log_sync_failures_total", "Syncs to disk that failed.")),
      segments_written(counter("tokenrelay_log_segments_written_total", "Segments written.")),
      checkpoints(counter("tokenrelay_log_checkpoints_total", "Checkpoints of the write-ahead file.")),
      log_lines_dropped(counter("tokenrelay_log_lines_dropped_total",
                                "Log lines dropped because standard error was not read fast enough.")),
      subscribers(prometheus::BuildGauge()
                      .Name("tokenrelay_subscribers")
                      .Help("Connected readers, by transport.")
                      .Register(registry)),
      resumes(
          counters("tokenrelay_resumes_total", "Readers that connected, by verdict on their cursor.", {"verdict"}, 3)),
      own_events(counter("tokenrelay_upstream_own_events_total",
                         "Events kept as the provider sent them, for clients of its own protocol.")),
      own_event_bytes(counter("tokenrelay_upstream_own_event_bytes_total", "Bytes of those events in the log.")),
      replayed(counter("tokenrelay_replayed_events_total", "Events sent to readers that were behind the live end.")),
      merged(counter("tokenrelay_merged_events_total", "Deltas sent to a reader merged into another event.")),
      heartbeats(counter("tokenrelay_heartbeats_total", "Heartbeats sent to readers.")),
      lag(histogram("tokenrelay_reader_lag_events", "Durable events not yet sent to a reader, at each write to it.",
                    scaled(lag_bounds, 1))),
      cuts(counters("tokenrelay_cuts_total", "Responses cut before their end, by reason.", {"reason"}, 16)),
      upstream_results(counters("tokenrelay_upstream_results_total",
                                "Upstream calls that ended, by provider and code (ok or an error code).",
                                {"provider", "code"}, 128)),
      upstream_retries(
          counters("tokenrelay_upstream_retries_total", "Upstream calls retried, by provider.", {"provider"}, 16)),
      commands(counters("tokenrelay_commands_total", "Commands, by kind, transport and outcome.",
                        {"kind", "transport", "outcome"}, 64)),
      cancel_closed(histogram("tokenrelay_cancel_upstream_closed_seconds",
                              "Time from a cancel until the upstream connection is closed.", commit_seconds_bounds)),
      websockets(gauge("tokenrelay_websockets", "Open WebSockets.")),
      websocket_messages(
          counters("tokenrelay_websocket_messages_total", "WebSocket messages, by direction.", {"direction"}, 2)),
      websocket_closes(
          counters("tokenrelay_websocket_closes_total", "WebSockets that ended, by close code.", {"code"}, 24)),
      http_requests(counters("tokenrelay_http_requests_total", "HTTP requests, by route, method and status code.",
                             {"route", "method", "code"}, 400)),
      http_duration(histograms("tokenrelay_http_request_duration_seconds",
                               "Time from a complete request to the head of its response, by route.", {"route"}, 48,
                               request_seconds_bounds)),
      connections(gauge("tokenrelay_connections", "Open client connections.")),
      connections_accepted(counter("tokenrelay_connections_accepted_total", "Client connections accepted.")),
      connections_refused(counters("tokenrelay_connections_refused_total",
                                   "Client connections closed because of a limit or a malformed request, by reason.",
                                   {"reason"}, 16)),
      whole_read_bytes(gauge("tokenrelay_whole_read_bytes",
                             "Bytes held by answers that are sent whole, until their clients have read them.")),
      whole_reads_refused(counter("tokenrelay_whole_reads_refused_total",
                                  "Answers refused because answers that are sent whole held too many bytes.")),
      loop_turns(histogram("tokenrelay_loop_turn_seconds",
                           "Turns of the event loop, without its waits: nothing else moves during one.",
                           scaled(turn_bounds, 1e9))),
      loop_stall(gauge("tokenrelay_loop_stall_seconds", "The longest turn of the event loop in the last 60 s.")),
      loop_stall_cpu(gauge("tokenrelay_loop_stall_cpu_seconds",
                           "The most CPU time that one turn of the event loop used in the last 60 s.")),
      ready(gauge("tokenrelay_ready", "1 if /readyz answers 200.")),
      process(registry) {
  prometheus::BuildGauge()
      .Name("tokenrelay_build_info")
      .Help("1; the version is a label.")
      .Register(registry)
      .Add({{"version", std::string(version)}})
      .Set(1);
  // Series that alerts and dashboards divide by must exist from the first scrape on.
  for (const char* status : {"completed", "cancelled", "failed", "interrupted"}) streams_ended.of({status});
  for (const char* verdict : {"start", "exact", "reset"}) resumes.of({verdict});
  for (const char* transport : {"sse", "websocket"}) subscribers.Add({{"transport", transport}});
}

Counter& Metrics::Families::counter(const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

Gauge& Metrics::Families::gauge(const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

Histogram& Metrics::Families::histogram(const char* name, const char* help, const Histogram::BucketBoundaries& bounds) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(registry).Add({}, bounds);
}

Counters Metrics::Families::counters(const char* name, const char* help, std::vector<std::string> labels, size_t most) {
  return {prometheus::BuildCounter().Name(name).Help(help).Register(registry), std::move(labels), most};
}

Histograms Metrics::Families::histograms(const char* name, const char* help, std::vector<std::string> labels,
                                         size_t most, const Histogram::BucketBoundaries& bounds) {
  return {prometheus::BuildHistogram().Name(name).Help(help).Register(registry), std::move(labels), most, bounds};
}

std::string Metrics::Families::model_label(std::string_view model) {
  std::lock_guard lock(models_mutex_);
  return models_.find(model) == models_.end() ? "other" : std::string(model);
}

void Metrics::Families::keep_models(const std::vector<std::string>& models) {
  std::lock_guard lock(models_mutex_);
  models_.clear();
  for (const std::string& model : models) {
    if (models_.size() < 100) models_.insert(model);
  }
}

}  // namespace tokenrelay::metrics
