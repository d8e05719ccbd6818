#include "metrics/metrics.h"

#include <prometheus/text_serializer.h>

#include <chrono>

#include "metrics/definitions.h"

namespace tokenrelay::metrics {
namespace {

constexpr const char* name_of(Transport transport) {
  return transport == Transport::sse ? "sse" : "websocket";
}
constexpr const char* kinds[] = {"text", "reasoning", "tool_call"};
constexpr const char* token_kinds[] = {"input", "output", "cached", "reasoning"};
constexpr const char* verdicts[] = {"start", "exact", "reset"};
constexpr const char* log_states[] = {"healthy", "stalled", "failed"};

// Raises a counter to a value that is counted elsewhere.
void raise(Counter& counter, uint64_t to) {
  const double behind = static_cast<double>(to) - counter.Value();
  if (behind > 0) counter.Increment(behind);
}

int64_t monotonic_s() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::seconds>(now).count();
}

std::string_view known(std::string_view value, std::initializer_list<std::string_view> values) {
  for (const std::string_view each : values) {
    if (each == value) return value;
  }
  return "other";
}

}  // namespace

Metrics::Metrics(std::string_view version, const std::vector<std::string>& known_models)
    : families_(std::make_unique<Families>(version)) {
  families_->keep_models(known_models);
}

Metrics::~Metrics() = default;

void Metrics::set_known_models(const std::vector<std::string>& models) {
  families_->keep_models(models);
}

void Metrics::stream_created() {
  families_->streams_created.Increment();
}

void Metrics::stream_ended(std::string_view status) {
  families_->streams_ended.of({known(status, {"completed", "cancelled", "failed", "interrupted"})}).Increment();
}

void Metrics::stream_failed(std::string_view code) {
  families_->streams_failed.of({code}).Increment();
}

void Metrics::generation_began() {
  families_->generations_started.Increment();
  families_->generations_active.Increment();
}

void Metrics::generation_ended() {
  families_->generations_active.Decrement();
}

ModelMetrics& Metrics::of_model(std::string_view model, std::string_view upstream) {
  return models_.of(families_->model_label(model), upstream);
}

void Metrics::generation_outcome(std::string_view model, std::string_view upstream, std::string_view outcome) {
  families_->generations_ended.of({families_->model_label(model), upstream, outcome}).Increment();
}

void Metrics::commit(double seconds, double waited_seconds, size_t events, size_t bytes) {
  families_->commit_duration.Observe(seconds);
  families_->commit_wait.Observe(waited_seconds);
  families_->commit_events.Observe(static_cast<double>(events));
  families_->commit_bytes.Observe(static_cast<double>(bytes));
}

void Metrics::subscriber_joined(Transport transport) {
  families_->subscribers.Add({{"transport", name_of(transport)}}).Increment();
}

void Metrics::subscriber_left(Transport transport) {
  families_->subscribers.Add({{"transport", name_of(transport)}}).Decrement();
}

void Metrics::resumed(Verdict verdict) {
  families_->resumes.of({verdicts[static_cast<size_t>(verdict)]}).Increment();
}

void Metrics::cut(std::string_view reason) {
  families_->cuts.of({reason}).Increment();
}

void Metrics::upstream_result(std::string_view provider, std::string_view code) {
  families_->upstream_results.of({provider, code}).Increment();
}

void Metrics::command(std::string_view kind, std::string_view transport, std::string_view outcome) {
  families_->commands.of({kind, transport, outcome}).Increment();
}

void Metrics::cancel_closed(double seconds) {
  families_->cancel_closed.Observe(seconds);
}

void Metrics::websocket_opened() {
  families_->websockets.Increment();
}

void Metrics::websocket_closed(int code) {
  families_->websockets.Decrement();
  families_->websocket_closes.of({std::to_string(code)}).Increment();
}

void Metrics::websocket_message(bool received) {
  families_->websocket_messages.of({received ? "received" : "sent"}).Increment();
}

void Metrics::upstream_retry(std::string_view provider) {
  families_->upstream_retries.of({provider}).Increment();
}

void Metrics::http_request(std::string_view route, std::string_view method, int status, double seconds) {
  const std::string_view verb = known(method, {"GET", "HEAD", "POST", "DELETE", "OPTIONS", "PUT", "PATCH"});
  families_->http_requests.of({route, verb, std::to_string(status)}).Increment();
  families_->http_duration.of({route}).Observe(seconds);
}

void Metrics::connection_refused(std::string_view reason) {
  families_->connections_refused.of({reason}).Increment();
}

void Metrics::long_turn(int64_t wall_ns, int64_t cpu_ns) {
  const int64_t now_s = monotonic_s();
  stall_.observe(now_s, static_cast<double>(wall_ns) / 1e9);
  stall_cpu_.observe(now_s, static_cast<double>(cpu_ns) / 1e9);
}

void Metrics::set_connections(double open) {
  families_->connections.Set(open);
}

void Metrics::set_streams(double live, double queued) {
  families_->streams_live.Set(live);
  families_->streams_queued.Set(queued);
}

void Metrics::set_whole_reads(uint64_t held_bytes, uint64_t refused) {
  families_->whole_read_bytes.Set(static_cast<double>(held_bytes));
  raise(families_->whole_reads_refused, refused);
}

void Metrics::set_ready(bool ready) {
  families_->ready.Set(ready ? 1 : 0);
}

void Metrics::set_log(const LogSample& sample) {
  for (size_t state = 0; state < std::size(log_states); ++state) {
    families_->log_states.Add({{"state", log_states[state]}}).Set(static_cast<size_t>(sample.state) == state ? 1 : 0);
  }
  families_->log_stalled.Set(sample.stalled_seconds);
  families_->log_uncommitted.Set(static_cast<double>(sample.uncommitted_bytes));
  families_->journal_bytes.Set(static_cast<double>(sample.journal_bytes));
  families_->wal_bytes.Set(static_cast<double>(sample.wal_bytes));
  families_->database_bytes.Set(static_cast<double>(sample.database_bytes));
  raise(families_->corrupt_rows, sample.corrupt_rows);
  raise(families_->syncs_failed, sample.syncs_failed);
  raise(families_->segments_written, sample.segments_written);
  raise(families_->checkpoints, sample.checkpoints);
}

void Metrics::set_log_lines_dropped(uint64_t lines) {
  raise(families_->log_lines_dropped, lines);
}

void Metrics::on_scrape(std::function<void(Metrics&)> sampler) {
  samplers_.push_back(std::move(sampler));
}

void Metrics::fold_models() {
  models_.for_each([this](std::string_view model, std::string_view upstream, ModelMetrics& tally) {
    const auto first = tally.first_token_.take();
    families_->first_token.of({model, upstream}).ObserveMultiple(first.counts, first.sum / 1e9);
    const auto gaps = tally.inter_delta_.take();
    families_->inter_delta.of({model, upstream}).ObserveMultiple(gaps.counts, gaps.sum / 1e9);
    for (size_t kind = 0; kind < std::size(token_kinds); ++kind) {
      families_->tokens.of({token_kinds[kind], model, upstream})
          .Increment(static_cast<double>(tally.tokens_[kind].take()));
    }
  });
}

void Metrics::fold() {
  for (size_t kind = 0; kind < deltas_.size(); ++kind) {
    families_->deltas.of({kinds[kind]}).Increment(static_cast<double>(deltas_[kind].count.take()));
    families_->delta_bytes.of({kinds[kind]}).Increment(static_cast<double>(deltas_[kind].bytes.take()));
  }
  fold_models();
  const auto lags = lag_.take();
  families_->lag.ObserveMultiple(lags.counts, lags.sum);
  const auto turns = turns_.take();
  families_->loop_turns.ObserveMultiple(turns.counts, turns.sum / 1e9);
  families_->loop_stall.Set(stall_.of_last_minute(monotonic_s()));
  families_->loop_stall_cpu.Set(stall_cpu_.of_last_minute(monotonic_s()));
  families_->replayed.Increment(static_cast<double>(replayed_.take()));
  families_->own_events.Increment(static_cast<double>(own_events_.take()));
  families_->own_event_bytes.Increment(static_cast<double>(own_bytes_.take()));
  families_->merged.Increment(static_cast<double>(merged_.take()));
  families_->heartbeats.Increment(static_cast<double>(heartbeats_.take()));
  families_->connections_accepted.Increment(static_cast<double>(accepted_.take()));
}

std::string Metrics::exposition() {
  for (const auto& sampler : samplers_) sampler(*this);
  fold();
  families_->process.sample();
  return prometheus::TextSerializer().Serialize(families_->registry.Collect());
}

}  // namespace tokenrelay::metrics
