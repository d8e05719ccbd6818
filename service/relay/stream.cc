#include "service/relay/stream.h"

#include <algorithm>
#include <cassert>

#include "service/json/write.h"
#include "service/relay/conversation.h"
#include "service/upstream/answer_headers.h"

namespace tokenrelay::relay {

using storage::EventKind;
using storage::EventView;

Stream::Stream(Context& context, std::shared_ptr<const Options> options, storage::StreamRow row, std::string_view start,
               std::function<void(Stream&)> on_ended)
    : context_(context),
      options_(std::move(options)),
      phase_(row.status.empty() ? Phase::queued : Phase::ended),
      updated_ms_(row.finished_ms ? row.finished_ms : row.created_ms),
      tail_(start.empty() ? row.last_seq : 0),
      row_(std::move(row)),
      on_ended_(std::move(on_ended)) {
  if (!start.empty()) tail_.push(EventKind::start, start);
}

Stream::~Stream() {
  assert(followers_.empty());
}

std::string_view Stream::status() const {
  switch (phase_) {
    case Phase::queued:
      return "queued";
    case Phase::streaming:
    case Phase::ending:
      return "streaming";  // its end is not durable yet, so it must not show
    case Phase::ended:
      return row_.status;
  }
  return row_.status;
}

// ---- writing

void Stream::keep_watch(OnDisconnect on_disconnect, int64_t within_ms) {
  on_disconnect_ = on_disconnect;
  policy_ = std::make_unique<DisconnectPolicy>(context_.loop.timers(), on_disconnect, options_->cancel_grace_ms,
                                               options_->relay_cut_grace_ms, [this] { cancel(); });
  time_limit_ = std::make_unique<transport::Timer>(context_.loop.timers(),
                                                   [this] { fail("time_limit", "the stream reached its time limit"); });
  time_limit_->arm(within_ms);
}

void Stream::begin(Prompt prompt) {
  keep_watch(prompt.on_disconnect, options_->stream_ms);
  policy_->on_created();
  route_ = std::move(prompt.route);
  request_id_ = std::move(prompt.request_id);
  prompt_bytes_ = prompt.prompt_bytes;
  start_generation(std::move(prompt.request), prompt.prompt_bytes);
}

void Stream::go_on(Route route, const Continuation& from) {
  // The clock may have been set since: never more than a whole time, nor less than none.
  const int64_t ran_ms = std::clamp<int64_t>(context_.wall_ms() - row_.created_ms, 0, options_->stream_ms);
  keep_watch(from.on_disconnect, options_->stream_ms - ran_ms);
  policy_->on_last_reader_left(true);  // the relay cut them
  phase_ = Phase::streaming;
  route_ = std::move(route);
  request_id_ = from.request_id;
  prompt_bytes_ = from.prompt_bytes;
  resumable_ = true;
  reading_conversation_ = true;
  read_progress(shared_from_this(), [self = shared_from_this(), from](const std::optional<Progress>& said) {
    self->reading_conversation_ = false;
    if (self->phase_ == Phase::streaming && !self->broken_) self->take_up(from, said);
  });
}

void Stream::take_up(const Continuation& from, const std::optional<Progress>& said) {
  if (!said) return fail("log_unreadable", "the stored answer cannot be read");
  stored_bytes_ += said->stored_bytes;
  steers_ += said->steers;
  tool_calls_ = said->first_tool;
  if (said->steers > 0) usage_.add({}, prompt_bytes_, said->earlier_bytes);
  said_anything_ |= said->stored_bytes > 0;
  if (steered_ != 0) {  // steered meanwhile: the answer is no longer wanted
    tool_calls_ += said->tool_bytes.size();
    usage_.add({}, prompt_bytes_, said->output_bytes());
    if (durable() >= steered_) go_on_steered();
    return;
  }
  taking_up_ = true;
  make_generation(prompt_bytes_);
  generation_->take_up(from, *said);
}

void Stream::start_generation(upstream::PreparedPtr request, uint64_t prompt_bytes) {
  taking_up_ = false;
  make_generation(prompt_bytes);
  generation_->begin(std::move(request));
}

void Stream::make_generation(uint64_t prompt_bytes) {
  Generation::Owner& owner = *this;
  generation_ =
      std::make_unique<Generation>(context_, options_, *route_, request_id_, prompt_bytes, tool_calls_, owner);
  if (steers_ == 0) generation_->tell_own();
}

// The log has the request: nothing that large is kept in memory for what may never be needed.
void Stream::prepare_again(const Route& route, std::function<void(std::optional<upstream::Prepared>)> then) {
  read_conversation(shared_from_this(), route, request_id_, [then = std::move(then)](auto again) {
    then(again ? std::optional(std::move(again->prepared)) : std::nullopt);
  });
}

void Stream::on_generation_started() {
  assert(context_.loop.may_touch());
  phase_ = Phase::streaming;
}

void Stream::on_generation_answered() {
  assert(context_.loop.may_touch());
  answered_ = true;
  // Later, not inside the upstream's call; but not by a timer, whose next tick is up to 10 ms away.
  if (!waiting_for_answer_.empty()) context_.loop.post([self = shared_from_this()] { self->notify_answered(); });
}

void Stream::on_generation_resumable(const std::string& upstream, const std::string& token, uint32_t attempt) {
  assert(context_.loop.may_touch());
  resumable_ = !token.empty();
  const Continuation now{upstream, token, attempt, prompt_bytes_, request_id_, on_disconnect_};
  context_.log.keep_continuation(row_.key, resumable_ ? stored_continuation(now) : std::string());
}

bool Stream::append(EventKind kind, std::string_view payload) {
  assert(phase_ == Phase::queued || phase_ == Phase::streaming);
  if (stored_bytes_ + payload.size() > options_->stream_bytes) {
    fail("stream_too_long", "the stream reached its size limit");
    return false;
  }
  stored_bytes_ += payload.size();
  // Of a provider's own events those that show nothing may be all there is of a failed answer.
  said_anything_ |=
      kind == EventKind::own ? generation_->has_said() : kind != EventKind::upstream && kind != EventKind::steer;
  tail_.push(kind, payload);
  const EventView event{kind, payload};
  context_.log.append(row_.key, tail_.last(), {&event, 1});
  uncommitted_bytes_ += payload.size();
  follow_pressure();
  return true;
}

// Only the log may slow down an upstream: above the bound its socket is not read.
void Stream::follow_pressure() {
  const bool full = uncommitted_bytes_ > options_->uncommitted_stream_bytes ||
                    context_.log.uncommitted_bytes() > options_->uncommitted_bytes;
  if (full == paused_ || !generation_) return;
  paused_ = full;
  context_.paused_streams += full ? 1 : -1;
  full ? generation_->pause() : generation_->resume();
}

void Stream::resume_upstream() {
  follow_pressure();
}

void Stream::on_generation_end(upstream::Outcome outcome) {
  assert(context_.loop.may_touch());
  if (!outcome.failure) return end("completed", &outcome, std::nullopt);
  const auto& failure = *outcome.failure;
  failure_ = failure;
  if (taking_up_ && !generation_->answered()) return interrupt("relay_restarted", failure.message);
  end("failed", &outcome,
      StreamError{std::string(upstream::name_of(failure.code)), failure.message, failure.retryable});
}

bool Stream::cancel() {
  const bool running = generation_ && generation_->running();
  end("cancelled", nullptr, std::nullopt);
  return running;
}

tl::expected<Seq, Refusal> Stream::steer(std::string_view content) {
  if (broken_) return tl::make_unexpected(Refusal::log_unavailable);
  if (phase_ == Phase::ending || phase_ == Phase::ended) return tl::make_unexpected(Refusal::stream_ended);
  if (content.size() > options_->steer_bytes) return tl::make_unexpected(Refusal::too_long);
  if (steers_ >= options_->steers) return tl::make_unexpected(Refusal::too_many);
  ++steers_;
  if (generation_) generation_->add_usage(usage_, {});
  retire_generation();
  if (std::exchange(resumable_, false)) context_.log.keep_continuation(row_.key, {});
  std::string payload = "{\"content\":";
  json::append_string(payload, content);
  payload += '}';
  if (!append(EventKind::steer, payload))
    return tl::make_unexpected(Refusal::stream_ended);  // the event exceeded the size limit and ended the stream
  steered_ = tail_.last();
  return steered_;
}

// The conversation is read from the log, so that the upstream gets exactly what readers were shown.
void Stream::go_on_steered() {
  reading_conversation_ = true;
  read_conversation(shared_from_this(), *route_, request_id_, [self = shared_from_this(), upto = steered_](auto next) {
    self->start_steered(upto, std::move(next));
  });
}

void Stream::start_steered(Seq upto, std::optional<ContinuedRequest> next) {
  reading_conversation_ = false;
  if (phase_ == Phase::ending || phase_ == Phase::ended || broken_) return;
  if (!next) return fail("log_unreadable", "the stored conversation cannot be read");
  if (steered_ != upto) {  // steered again meanwhile
    if (durable() >= steered_) go_on_steered();
    return;
  }
  steered_ = 0;
  if (!next->prepared) {
    const auto& why = next->prepared.error();
    return fail(std::string(name_of(upstream::ErrorCode::upstream_bad_request)), why.field + ": " + why.why);
  }
  start_generation(std::move(*next->prepared), prompt_bytes_ + next->added_bytes);
}

void Stream::interrupt(std::string code, std::string message) {
  end("interrupted", nullptr, StreamError{std::move(code), std::move(message), true});
}

void Stream::fail(std::string code, std::string message) {
  end("failed", nullptr, StreamError{std::move(code), std::move(message), false});
}

void Stream::end(std::string_view status, const upstream::Outcome* outcome, const std::optional<StreamError>& error) {
  if (phase_ == Phase::ending || phase_ == Phase::ended || broken_) return;
  if (generation_) generation_->add_usage(usage_, outcome ? outcome->usage : upstream::Usage{});
  retire_generation();
  const ProviderIds ids{answer_headers_ ? answer_headers_->request_id : std::string(),
                        outcome ? outcome->response_id : std::string()};
  const auto done = done_payload(status, status == "completed" ? outcome : nullptr, usage_.json(), error, ids);
  if (status == "failed" && error) failure_code_ = error->code;
  phase_ = Phase::ending;
  if (policy_) policy_->stop();
  if (time_limit_) time_limit_->cancel();
  tail_.push(EventKind::done, done);
  row_.status = status;
  row_.done = done;
  row_.finished_ms = context_.wall_ms();
  context_.log.finish(row_.key, tail_.last(), {row_.status, done, row_.finished_ms});
}

// Closes its connection now and destroys it later, since this may run inside one of its calls.
void Stream::retire_generation(Generation::Answer what) {
  if (!generation_) return;
  generation_->close(what);
  if (std::exchange(paused_, false)) --context_.paused_streams;
  tool_calls_ += generation_->tool_calls();
  context_.loop.post([old = std::shared_ptr<Generation>(std::move(generation_))] {});
}

void Stream::on_durable(Seq seq, int64_t wall_ms) {
  assert(context_.loop.may_touch());
  tail_.trim(row_.last_seq);  // the new events are still needed
  row_.last_seq = row_.runs.back().last_seq = seq;
  updated_ms_ = wall_ms;
  uncommitted_bytes_ = tail_.bytes_after(seq);
  const bool over = phase_ == Phase::ending && seq == tail_.last();
  if (over) phase_ = Phase::ended;
  const bool readers_only = !over && !paused_ && steered_ == 0 && waiting_for_durable_.empty();
  wake_followers();
  if (readers_only) return;  // do not touch this object again: the write has evicted it from the cache
  if (paused_) follow_pressure();
  if (steered_ != 0 && seq >= steered_ && !over && !reading_conversation_) go_on_steered();
  const auto self = shared_from_this();  // on_ended_ may drop the last other owner
  while (!waiting_for_durable_.empty() && waiting_for_durable_.front().first <= seq) {
    const auto then = std::move(waiting_for_durable_.front().second);
    waiting_for_durable_.erase(waiting_for_durable_.begin());
    then(true);
  }
  if (!over) return;
  context_.metrics.stream_ended(row_.status);
  if (!failure_code_.empty()) context_.metrics.stream_failed(failure_code_);
  on_ended_(*this);
  notify_ended(true);
}

void Stream::on_log_failed() {
  assert(context_.loop.may_touch());
  if (phase_ == Phase::ended || broken_) return;
  retire_generation(Generation::Answer::keep);  // the next start finds its token in the log
  if (policy_) policy_->stop();
  if (time_limit_) time_limit_->cancel();
  broken_ = true;
  wake_followers();
  for (auto& [seq, then] : std::exchange(waiting_for_durable_, {})) then(false);
  notify_ended(false);
}

}  // namespace tokenrelay::relay
