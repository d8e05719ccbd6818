#include "service/relay/shard.h"

#include <algorithm>
#include <cassert>

#include "service/json/write.h"
#include "service/relay/ids.h"
#include "service/relay/start_event.h"

namespace tokenrelay::relay {
namespace {

constexpr int64_t readers_finish_ms = 2'000;  // for readers of a removed stream: they are sent its end, then cut
constexpr int64_t crowded_ms = 100;           // durable events have waited this long for the loop: it is overloaded
constexpr int64_t watch_ms = 1'000;

Error to_error(const storage::Error& error) {
  switch (error.code) {
    case storage::Errc::not_found:
      return {Errc::not_found, "no such stream"};
    case storage::Errc::gone:
      return {Errc::gone, "the stream was deleted or has expired"};
    case storage::Errc::key_reused:
      return {Errc::key_reused, "the idempotency key was used with another body"};
    case storage::Errc::log_stalled:
    case storage::Errc::log_failed:
      return {Errc::log_unavailable, "the log cannot take new events"};
    default:
      return {Errc::unreadable, "the log cannot be read"};
  }
}

}  // namespace

Shard::Shard(transport::Loop& loop, metrics::Metrics& metrics, Random random, std::shared_ptr<const Options> options,
             std::shared_ptr<const ModelTable> models)
    : loop_(loop),
      metrics_(metrics),
      random_(std::move(random)),
      options_(std::move(options)),
      models_(std::move(models)),
      worker_(loop),
      drain_timer_(loop.timers(), [this] { finish_drain(); }),
      stall_timer_(loop.timers(), [this] { close_generations(); }),
      expiry_timer_(loop.timers(), [this] { expire(); }),
      watch_timer_(loop.timers(), [this] { watch_log(); }) {}

Shard::~Shard() = default;

void Shard::use(std::unique_ptr<storage::EventLog> log) {
  log_ = std::move(log);
  context_.reset(new Context{loop_, *log_, worker_, metrics_, random_});
  expiry_timer_.arm(0);
  watch_timer_.arm(watch_ms);
}

void Shard::reload(std::shared_ptr<const Options> options, std::shared_ptr<const ModelTable> models) {
  options_ = std::move(options);
  models->take_over_slots(*models_);
  models_ = std::move(models);
  expiry_timer_.arm(0);
}

// ---- creating

std::optional<Error> Shard::refusal(const NewStream& what) const {
  if (draining_) return Error{Errc::draining, "the relay is shutting down"};
  const auto log = log_->status();
  if (log.state != storage::LogState::healthy)
    return Error{Errc::log_unavailable, "the event log cannot commit at the moment"};
  if (auto why = admission_.refusal(*options_, log)) return Error{Errc::overloaded, std::move(*why)};
  if (live_.size() + creating_ >= options_->live_streams) return Error{Errc::overloaded, "too many live streams"};
  const uint64_t prompts = context_->prompt_bytes, added = what.prompt.request->bytes();
  if (prompts > 0 && prompts + added > options_->prompt_bytes) {
    return Error{Errc::overloaded, "too many bytes of prompts wait for their upstreams"};
  }
  const Slots& slots = *what.prompt.route.upstream->slots;
  if (slots.full() && slots.waiting() >= options_->queued_streams) {
    return Error{Errc::overloaded, "too many streams are waiting for this upstream"};
  }
  return std::nullopt;
}

void Shard::create(NewStream what, Completion<CreatedStream> done) {
  auto error = refusal(what);
  if (!error && what.overloaded) error = Error{Errc::overloaded, "too many connections"};
  if (error) return refuse_new(what, std::move(*error), std::move(done));
  storage::NewStream row;
  row.stream_id = draw_stream_id(random_);
  row.owner = what.owner;
  row.model = what.model;
  row.provider = what.prompt.route.upstream->provider->kind();
  row.metadata = what.metadata;
  row.request = std::move(what.request);
  row.idempotency_key = what.idempotency_key;
  row.body_hash = what.body_hash;
  row.created_ms = context_->wall_ms();
  row.start = start_payload(row.model, row.provider, row.created_ms, what.marks);

  storage::StreamRow made;
  made.stream_id = row.stream_id;
  made.owner = row.owner;
  made.model = row.model;
  made.provider = row.provider;
  made.metadata = row.metadata;
  made.idempotency_key = row.idempotency_key;
  made.body_hash = row.body_hash;
  made.created_ms = row.created_ms;
  made.last_seq = 1;
  ++creating_;
  context_->prompt_bytes += what.prompt.request->bytes();
  const std::string start = row.start;
  log_->create(std::move(row), [this, made = std::move(made), start, prompt = std::move(what.prompt),
                                done = std::move(done)](storage::Result<storage::Created> created) mutable {
    --creating_;
    context_->prompt_bytes -= prompt.request->bytes();
    if (!created) {
      if_drained();
      return done(tl::make_unexpected(to_error(created.error())));
    }
    if (created->existing) {
      if_drained();
      return open(created->stream_id, [done](Result<std::shared_ptr<Stream>> stream) {
        if (!stream) return done(tl::make_unexpected(stream.error()));
        done(CreatedStream{std::move(*stream), true});
      });
    }
    made.key = created->key;
    made.runs = {Run{created->run, 1, 1}};
    const auto stream = adopt(std::move(made), start);
    live_[stream->row().key] = stream;
    metrics_.stream_created();
    stream->begin(std::move(prompt));
    if (drain_is_over_) interrupt(*stream);
    if (log_->status().state == storage::LogState::failed) stream->on_log_failed();
    done(CreatedStream{stream, false});
  });
}

void Shard::go_on(storage::StreamRow row) {
  const auto from = read_continuation(std::exchange(row.continuation, {}));
  const auto route = from ? route_of(*from, *models_, row.model) : std::nullopt;
  const auto stream = adopt(std::move(row), {});
  live_[stream->row().key] = stream;
  if (!route) return stream->interrupt(restarted_error().code, restarted_error().message);
  stream->go_on(*route, *from);
}

// Only what would start something is refused. A known idempotency key still gets its stream: it is under load that
// clients send a request twice.
void Shard::refuse_new(const NewStream& what, Error error, Completion<CreatedStream> done) {
  if (what.idempotency_key.empty()) return done(tl::make_unexpected(std::move(error)));
  log_->find_key(what.idempotency_key, [this, error = std::move(error), hash = what.body_hash,
                                        done = std::move(done)](storage::Result<storage::StreamRow> row) {
    if (!row) return done(tl::make_unexpected(error));
    if (row->body_hash != hash) return done(tl::make_unexpected(to_error({storage::Errc::key_reused, ""})));
    open(row->stream_id, [done](Result<std::shared_ptr<Stream>> stream) {
      if (!stream) return done(tl::make_unexpected(stream.error()));
      done(CreatedStream{std::move(*stream), true});
    });
  });
}

std::shared_ptr<Stream> Shard::adopt(storage::StreamRow row, std::string_view start) {
  auto stream =
      std::make_shared<Stream>(*context_, options_, std::move(row), start, [this](Stream& s) { on_ended(s); });
  known_[stream->id()] = stream;
  if (known_.size() > 64 && known_.size() > 4 * live_.size()) {  // forget ended streams without readers
    std::erase_if(known_, [](const auto& entry) { return entry.second.expired(); });
  }
  return stream;
}

void Shard::each_live(const std::function<void(const std::shared_ptr<Stream>&)>& look) const {
  live_.each([&](storage::StreamKey, const std::shared_ptr<Stream>& stream) { look(stream); });
}

// For loops in which a stream may end.
std::vector<std::shared_ptr<Stream>> Shard::all_live() const {
  std::vector<std::shared_ptr<Stream>> all;
  each_live([&](const auto& stream) { all.push_back(stream); });
  return all;
}

size_t Shard::queued() const {
  size_t queued = 0;
  each_live([&](const auto& stream) { queued += stream->status() == "queued" ? 1 : 0; });
  return queued;
}

// ---- finding

std::shared_ptr<Stream> Shard::in_memory(const std::string& stream_id) {
  const auto it = known_.find(stream_id);
  return it == known_.end() ? nullptr : it->second.lock();
}

void Shard::on_row(storage::Result<storage::StreamRow> row, const Completion<std::shared_ptr<Stream>>& done) {
  assert(loop_.may_touch());
  if (!row) return done(tl::make_unexpected(to_error(row.error())));
  if (auto stream = in_memory(row->stream_id)) return done(std::move(stream));
  if (row->status.empty()) return done(tl::make_unexpected(Error{Errc::unreadable, "the stream is not loaded"}));
  done(adopt(std::move(*row), {}));
}

void Shard::open(std::string stream_id, Completion<std::shared_ptr<Stream>> done) {
  if (auto stream = in_memory(stream_id)) return done(std::move(stream));
  log_->find(std::move(stream_id),
             [this, done = std::move(done)](storage::Result<storage::StreamRow> row) { on_row(std::move(row), done); });
}

void Shard::open_run(std::string run, Completion<std::shared_ptr<Stream>> done) {
  log_->find_run(std::move(run), [this, done = std::move(done)](storage::Result<storage::StreamRow> row) {
    // It ran when the row was read and has ended since, without readers: read the row again.
    if (row && row->status.empty() && !in_memory(row->stream_id)) return open(row->stream_id, done);
    on_row(std::move(row), done);
  });
}

// ---- removing

void Shard::remove(std::string stream_id, Completion<bool> done) {
  open(std::move(stream_id), [this, done = std::move(done)](Result<std::shared_ptr<Stream>> found) {
    if (!found) return done(tl::make_unexpected(found.error()));
    const auto stream = *found;
    if (!stream->ended()) stream->cancel();
    stream->when_ended([this, stream, done](bool durable) {
      if (!durable) return done(tl::make_unexpected(Error{Errc::log_unavailable, "the log cannot take new events"}));
      remove_ended(stream, done);
    });
  });
}

void Shard::remove_ended(const std::shared_ptr<Stream>& stream, Completion<bool> done) {
  stream->when_unread(readers_finish_ms, [this, stream, done = std::move(done)] { remove_now(stream, done); });
}

void Shard::remove_now(const std::shared_ptr<Stream>& stream, const Completion<bool>& done) {
  log_->remove(stream->id(), context_->wall_ms(), [this, stream, done](storage::Result<bool> removed) {
    if (!removed) return done(tl::make_unexpected(to_error(removed.error())));
    known_.erase(stream->id());
    expiring_since_ms_.erase(stream->id());
    stream->cut_readers(CutReason::removed);
    done(true);
  });
}

// ---- notifications of the log

void Shard::on_durable(std::span<const storage::Durable> streams, int64_t late_ms) {
  assert(loop_.may_touch());
  context_->crowded = late_ms >= crowded_ms;
  const int64_t now_ms = context_->wall_ms();
  for (const auto& [key, seq] : streams) {
    const auto* const live = live_.find(key);
    if (live == nullptr) continue;  // being created: its completion comes next
    Stream& stream = **live;        // it leaves live_ only at its end, and protects itself there
    if (seq > stream.durable()) stream.on_durable(seq, now_ms);
  }
  if (context_->paused_streams > 0 && log_->uncommitted_bytes() <= options_->uncommitted_bytes / 2) {
    for (const auto& stream : all_live()) {
      if (stream->paused()) stream->resume_upstream();
    }
  }
}

void Shard::on_ended(Stream& stream) {
  assert(loop_.may_touch());
  live_.erase(stream.row().key);
  if_drained();
}

void Shard::on_log_state() {
  assert(loop_.may_touch());
  switch (log_->status().state) {
    case storage::LogState::healthy:
      stall_timer_.cancel();
      return;
    case storage::LogState::stalled:
      if (!stall_timer_.armed()) stall_timer_.arm(options_->log_stall_ms);
      return;
    case storage::LogState::failed:
      break;
  }
  for (const auto& stream : all_live()) stream->on_log_failed();
  if (drained_) loop_.post(std::exchange(drained_, nullptr));
}

void Shard::watch_log() {
  watch_timer_.arm(watch_ms);
  look_at_memory();
  const auto status = log_->status();
  if (status.stalled_ms == 0) stall_timer_.cancel();
  const bool may_recover = status.stalled_ms > 0 && status.state != storage::LogState::failed;  // or the commit hangs
  if (may_recover && !stall_timer_.armed() && !live_.empty()) {
    stall_timer_.arm(std::max<int64_t>(0, options_->log_stall_ms - status.stalled_ms));
  }
}

void Shard::close_generations() {
  for (const auto& stream : all_live()) stream->fail("log_unavailable", "the event log could not commit for too long");
}

// ---- shutdown: no new streams; running ones may finish within a time; the rest is interrupted

namespace {

constexpr int64_t last_commit_ms = 5'000;  // for the terminal events of a drain to become durable

}  // namespace

void Shard::drain(int64_t timeout_ms, std::function<void()> done) {
  draining_ = true;
  if (log_->status().state == storage::LogState::failed) return loop_.post(std::move(done));
  drained_ = std::move(done);
  drain_timer_.arm(timeout_ms);
  if_drained();
}

// Streams being created count: their clients will be told that they exist.
void Shard::if_drained() {
  if (drained_ && live_.empty() && creating_ == 0) loop_.post(std::exchange(drained_, nullptr));
}

void Shard::finish_drain() {
  if (std::exchange(drain_is_over_, true)) {  // the log cannot take terminal events: the next start appends them
    if (drained_) loop_.post(std::exchange(drained_, nullptr));
    return;
  }
  drain_timer_.arm(last_commit_ms);
  for (const auto& stream : all_live()) interrupt(*stream);
}

void Shard::interrupt(Stream& stream) {
  stream.interrupt("relay_drained", "the relay shut down before the answer was complete");
}

// ---- retention: removes finished streams that are old or too many; one that is being read is kept for a while

namespace {

constexpr size_t expire_at_once = 200;
constexpr int64_t expire_again_ms = 500;    // if there are more
constexpr int64_t expire_later_ms = 2'000;  // if the log cannot do it now

}  // namespace

void Shard::look_at_memory() {
  constexpr int64_t trim_ms = 5'000;
  if (std::exchange(looking_at_memory_, true)) return;
  const bool trims = context_->now_ms() - trimmed_ms_ >= trim_ms;
  if (trims) trimmed_ms_ = context_->now_ms();
  const auto used = std::make_shared<uint64_t>(0);
  worker_.run(
      [used, trims] {
        if (trims) trim_memory();
        *used = used_bytes();
      },
      [this, here = alive_.mark(), used] {
        if (!here) return;
        looking_at_memory_ = false;
        admission_.saw(*used);
      });
}

void Shard::expire() {
  const int64_t period_ms = std::clamp<int64_t>(options_->retention_ms / 4, 100, 60'000);
  expiry_timer_.arm(period_ms);
  const int64_t now_ms = expiry_clock_.now_ms(context_->wall_ms(), context_->now_ms(), options_->retention_ms);
  const auto later = [this, period_ms] { expiry_timer_.arm(std::min(period_ms, expire_later_ms)); };
  if (!log_ || log_->status().state != storage::LogState::healthy) return later();
  log_->expired(now_ms - options_->retention_ms, options_->retention_bytes, expire_at_once,
                [this, later](storage::Result<std::vector<storage::StreamRow>> rows) {
                  if (!rows) return later();
                  for (const auto& row : *rows) expire_one(row);
                  if (rows->size() == expire_at_once) expiry_timer_.arm(expire_again_ms);  // more remain
                });
}

void Shard::expire_one(const storage::StreamRow& row) {
  const auto stream = in_memory(row.stream_id);
  if (stream && !stream->ended()) return;  // never a live one
  if (stream && stream->subscribers() > 0) {
    const auto since = expiring_since_ms_.try_emplace(row.stream_id, context_->now_ms()).first->second;
    if (context_->now_ms() - since < options_->retention_reader_grace_ms) return;
    stream->cut_readers(CutReason::retention);
  }
  expiring_since_ms_.erase(row.stream_id);
  log_->remove(row.stream_id, context_->wall_ms(),
               [this, id = row.stream_id](const storage::Result<bool>&) { known_.erase(id); });
}

}  // namespace tokenrelay::relay
