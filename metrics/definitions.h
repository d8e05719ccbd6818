// Every metric's name, help, labels and buckets. metrics.h describes what each one counts.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <mutex>
#include <set>
#include <string>
#include <string_view>

#include "metrics/labelled.h"
#include "metrics/metrics.h"
#include "metrics/process.h"

namespace tokenrelay::metrics {

using prometheus::Counter;
using prometheus::Gauge;
using prometheus::Histogram;

using Counters = Labelled<Counter>;
using Histograms = Labelled<Histogram, Histogram::BucketBoundaries>;

struct Metrics::Families {
  explicit Families(std::string_view version);

  std::string model_label(std::string_view model);
  void keep_models(const std::vector<std::string>& models);

  prometheus::Registry registry;

  Counter& counter(const char* name, const char* help);
  Gauge& gauge(const char* name, const char* help);
  Histogram& histogram(const char* name, const char* help, const Histogram::BucketBoundaries& bounds);
  Counters counters(const char* name, const char* help, std::vector<std::string> labels, size_t most);
  Histograms histograms(const char* name, const char* help, std::vector<std::string> labels, size_t most,
                        const Histogram::BucketBoundaries& bounds);

  Counter& streams_created;
  Counters streams_ended, streams_failed;
  Gauge &streams_live, &streams_queued, &generations_active;
  Counter& generations_started;
  Counters generations_ended, tokens;
  Histograms first_token, inter_delta;
  Counters deltas, delta_bytes;

  Histogram &commit_duration, &commit_wait, &commit_events, &commit_bytes;
  prometheus::Family<Gauge>& log_states;
  Gauge &log_stalled, &log_uncommitted, &journal_bytes, &wal_bytes, &database_bytes;
  Counter &corrupt_rows, &syncs_failed, &segments_written, &checkpoints, &log_lines_dropped;

  prometheus::Family<Gauge>& subscribers;
  Counters resumes;
  Counter &own_events, &own_event_bytes, &replayed, &merged, &heartbeats;
  Histogram& lag;
  Counters cuts;

  Counters upstream_results, upstream_retries;
  Counters commands;
  Histogram& cancel_closed;
  Gauge& websockets;
  Counters websocket_messages, websocket_closes;
  Counters http_requests;
  Histograms http_duration;
  Gauge& connections;
  Counter& connections_accepted;
  Counters connections_refused;
  Gauge& whole_read_bytes;
  Counter& whole_reads_refused;
  Histogram& loop_turns;
  Gauge &loop_stall, &loop_stall_cpu;
  Gauge& ready;
  ProcessMetrics process;

 private:
  std::mutex models_mutex_;
  std::set<std::string, std::less<>> models_;
};

}  // namespace tokenrelay::metrics
