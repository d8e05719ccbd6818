#include "service/relay/generation.h"

#include <algorithm>
#include <cassert>

#include "service/json/parse.h"
#include "service/json/utf8.h"
#include "service/relay/event_codec.h"
#include "service/text/base64.h"
#include "service/upstream/own_event.h"

namespace tokenrelay::relay {

using storage::EventKind;
using upstream::ErrorCode;

namespace {

// Of one event, which cannot be split. A long thought's signature is nearly as long as the thought itself.
constexpr size_t max_opaque_bytes = 256 << 10;
// Of a tool call's id and of its name, which every piece of it repeats. Some servers put a signature into the id.
constexpr size_t max_name_bytes = 16 << 10;
// Of a provider's own events that are held until something is said.
constexpr size_t max_held_own_bytes = 1 << 20;

metrics::DeltaKind metric_kind(EventKind kind) {
  if (kind == EventKind::reasoning) return metrics::DeltaKind::reasoning;
  return kind == EventKind::tool_call ? metrics::DeltaKind::tool_call : metrics::DeltaKind::text;
}

}  // namespace

Generation::Generation(Context& context, std::shared_ptr<const Options> options, Route route, std::string request_id,
                       uint64_t prompt_bytes, uint64_t first_tool_index, Owner& owner)
    : context_(context),
      owner_(owner),
      options_(std::move(options)),
      prompt_bytes_(prompt_bytes),
      first_tool_index_(first_tool_index),
      timer_(context.loop.timers(), [this] { on_timer(); }),
      attempts_(std::move(route)),
      request_id_(std::move(request_id)) {}

Generation::~Generation() {
  close();
}

void Generation::begin(upstream::PreparedPtr request) {
  hold(std::move(request));
  take_slot();
}

void Generation::hold(upstream::PreparedPtr request) {
  let_go();
  request_ = std::move(request);
  if (request_) context_.prompt_bytes += request_->bytes();
}

void Generation::let_go() {
  if (request_) context_.prompt_bytes -= request_->bytes();
  request_.reset();
}

void Generation::take_up(const Continuation& from, Progress said) {
  token_ = from.token;
  known_ = std::move(said);
  tells_own_ = known_.own > 0;
  attempts_.go_on_from(from.attempt + 1);
  last_delta_us_ = context_.loop.clock().mono_us();
  take_slot();
}

void Generation::take_slot() {
  upstream_ = attempts_.route().upstream;
  if (upstream_->slots->take()) return on_slot();
  state_ = State::queued;
  upstream_->slots->wait_for(*this);
  timer_.arm(options_->queue_ms);
}

void Generation::on_slot() {
  has_slot_ = true;
  timer_.cancel();
  attempts_.begin(context_.now_ms());
  context_.metrics.generation_began();
  model_metrics_ = &context_.metrics.of_model(attempts_.asked_for(), upstream_->name);
  if (first_call_us_ == 0) {
    first_call_us_ = context_.loop.clock().mono_us();
    owner_.on_generation_started();
  }
  start_call();
}

void Generation::leave_slot() {
  if (state_ == State::queued) upstream_->slots->leave(*this);
  if (!std::exchange(has_slot_, false)) return;
  context_.metrics.generation_ended();
  context_.metrics.generation_outcome(attempts_.asked_for(), upstream_->name, outcome_);
  upstream_->slots->give_back();
}

void Generation::on_timer() {
  if (state_ != State::queued) return start_call();
  upstream::Outcome outcome;
  outcome.failure = upstream::Error{ErrorCode::upstream_overloaded,
                                    "no upstream slot became free in time (limits.queue_ms)", true, std::nullopt, 0};
  if (fall_back(outcome)) return;
  leave_slot();
  state_ = State::closed;
  owner_.on_generation_end(std::move(outcome));
}

void Generation::start_call() {
  answered_ = false;
  if (request_ || !token_.empty()) return call();
  state_ = State::preparing;
  owner_.prepare_again(attempts_.route(), [this, here = alive_.mark()](std::optional<upstream::Prepared> prepared) {
    if (!here) return;
    if (!prepared || !*prepared) return fail(ErrorCode::upstream_error, "the stored request cannot be read");
    hold(std::move(**prepared));
    call();
  });
}

void Generation::call() {
  state_ = State::calling;
  outcome_ = "cancelled";
  upstream::Provider& provider = *attempts_.upstream().provider;
  call_ = token_.empty() ? provider.start(request_, *this) : provider.take_up(token_, request_id_, *this);
  if (!call_) return fail(ErrorCode::upstream_error, "this upstream cannot resume the answer");
  if (!token_.empty()) owner_.on_generation_resumable(upstream_->name, token_, attempts_.number());
  if (paused_) call_->pause();
}

void Generation::fail(ErrorCode code, std::string message) {
  upstream::Outcome outcome;
  outcome.failure = upstream::Error{code, std::move(message), false, std::nullopt, 0};
  on_end(std::move(outcome));
}

void Generation::close(Answer what) {
  alive_.end();
  if (call_ && what == Answer::keep) call_->keep_answer();
  call_.reset();
  let_go();
  timer_.cancel();
  leave_slot();
  state_ = State::closed;
}

void Generation::pause() {
  if (std::exchange(paused_, true)) return;
  if (call_) call_->pause();
}

void Generation::resume() {
  if (!std::exchange(paused_, false)) return;
  if (call_) call_->resume();
}

void Generation::add_usage(UsageTotal& total, const upstream::Usage& said) const {
  if (first_call_us_ == 0) return;  // it never called the upstream
  note_tokens(said);
  const bool nothing_known = !answered_ && output_bytes_ == 0 && !said.input_tokens && !said.output_tokens;
  if (nothing_known) return total.add_unknown();
  total.add(said, prompt_bytes_, output_bytes_);
}

void Generation::note_tokens(const upstream::Usage& said) const {
  if (!model_metrics_) return;
  using metrics::Tokens;
  model_metrics_->tokens(Tokens::input, said.input_tokens.value_or(0));
  model_metrics_->tokens(Tokens::output, said.output_tokens.value_or(0));
  model_metrics_->tokens(Tokens::cached, said.cached_tokens.value_or(0));
  model_metrics_->tokens(Tokens::reasoning, said.reasoning_tokens.value_or(0));
}

void Generation::note_first() {
  last_delta_us_ = context_.loop.clock().mono_us();
  model_metrics_->first_token(static_cast<double>(last_delta_us_ - first_call_us_) / 1e6);
}

void Generation::note_delta(EventKind kind, size_t bytes) {
  if (last_delta_us_ == 0) {
    note_first();
  } else {
    const int64_t now = context_.loop.clock().mono_us();
    model_metrics_->inter_delta(static_cast<double>(now - last_delta_us_) / 1e6);
    last_delta_us_ = now;
  }
  context_.metrics.delta(metric_kind(kind), bytes);
}

// What the provider sent before it said anything, and what it says now.
bool Generation::release_own() {
  held_own_bytes_ = 0;
  for (const std::string& entry : std::exchange(held_own_, {})) {
    if (!append_own(entry)) return false;
  }
  return true;
}

bool Generation::append_own(std::string_view entry) {
  context_.metrics.own_event(entry.size());
  const size_t most = options_->event_bytes;
  const auto event = upstream::decode_own(entry);
  if (!event || event->op != upstream::OwnEvent::Op::event || entry.size() <= most) {
    return owner_.append(EventKind::own, entry);
  }
  std::string_view rest = event->json;
  while (rest.size() >= most) {
    const size_t size = json::utf8_prefix(rest, most - 1);
    const std::string piece =
        upstream::encode_own({upstream::OwnEvent::Op::piece, rest.substr(0, size), {}, 0, {}, {}});
    if (!owner_.append(EventKind::own, piece)) return false;
    rest.remove_prefix(size);
  }
  return owner_.append(EventKind::own, upstream::encode_own({upstream::OwnEvent::Op::event, rest, {}, 0, {}, {}}));
}

// Before anything is said another try may follow, whose events are others: until then these are held.
void Generation::on_own(std::string_view entry, bool shows) {
  if (!tells_own_) return;
  if (known_.own > 0) return static_cast<void>(--known_.own);
  const bool holds = !has_said() && !shows && held_own_bytes_ + entry.size() <= max_held_own_bytes;
  if (holds) {
    held_own_bytes_ += entry.size();
    held_own_.emplace_back(entry);
    return;
  }
  if (!has_said()) note_first();
  output_own_bytes_ += entry.size();
  if (release_own()) append_own(entry);
}

bool Generation::append_split(EventKind kind, std::string_view delta) {
  if (!held_own_.empty() && !release_own()) return false;
  note_delta(kind, delta.size());
  while (!delta.empty()) {
    const auto size = std::max<size_t>(1, json::utf8_prefix(delta, options_->event_bytes));
    if (!owner_.append(kind, delta.substr(0, size))) return false;
    output_bytes_ += size;
    delta.remove_prefix(size);
  }
  return true;
}

// Drops what is durable already from an answer that is sent again. Events do not end inside a character, so this never
// cuts one.
std::string_view Generation::unsaid(uint64_t& known, std::string_view delta) {
  const auto size = static_cast<size_t>(std::min<uint64_t>(known, delta.size()));
  known -= size;
  output_bytes_ += size;
  return delta.substr(size);
}

void Generation::on_text(std::string_view delta) {
  if (known_.text_bytes > 0) delta = unsaid(known_.text_bytes, delta);
  if (!delta.empty()) append_split(EventKind::text, delta);
}
void Generation::on_reasoning(std::string_view delta) {
  if (known_.reasoning_bytes > 0) delta = unsaid(known_.reasoning_bytes, delta);
  if (!delta.empty()) append_split(EventKind::reasoning, delta);
}

void Generation::on_tool_call(int index, std::string_view id, std::string_view name, std::string_view arguments) {
  const auto i = static_cast<size_t>(index);
  if (i >= tools_.size()) tools_.resize(i + 1);
  // Cut, it would be another tool's name, or an id that the upstream does not know in the next turn.
  if (id.size() > max_name_bytes || name.size() > max_name_bytes) {
    return fail(ErrorCode::upstream_protocol, "a tool call's id or name is longer than 16 KiB");
  }
  if (!id.empty()) tools_[i].first = has_call(id, i) ? draw_call_id() : std::string(id);
  if (tools_[i].first.empty()) tools_[i].first = draw_call_id();
  if (!name.empty()) tools_[i].second = name;
  if (i < known_.tool_bytes.size()) {
    arguments = unsaid(known_.tool_bytes[i], arguments);
    if (arguments.empty()) return;
  }
  if (!held_own_.empty() && !release_own()) return;
  note_delta(EventKind::tool_call, arguments.size());
  do {
    const auto size =
        std::min(arguments.size(), std::max<size_t>(1, json::utf8_prefix(arguments, options_->event_bytes / 2)));
    const auto payload =
        encode_tool_call({first_tool_index_ + i, tools_[i].first, tools_[i].second, arguments.substr(0, size)});
    if (!owner_.append(EventKind::tool_call, payload)) return;
    output_bytes_ += size;
    arguments.remove_prefix(size);
  } while (!arguments.empty());
}

void Generation::on_first_byte() {
  answered_ = true;
  let_go();
  owner_.on_generation_answered();
}

// Turns an index of this generation into one of the stream, as on_tool_call does.
void Generation::on_opaque(std::string_view object) {
  if (known_.opaque > 0) return static_cast<void>(--known_.opaque);
  auto value = json::parse(object);
  if (!value || !value->is_object() || value->empty()) return;
  if (const auto index = value->find("index"); index != value->end() && index->is_number_unsigned()) {
    *index = index->get<uint64_t>() + first_tool_index_;
  }
  const std::string payload = json::dump(*value);
  if (payload.size() > max_opaque_bytes) return;  // unusually large; readers do not need it
  if (!held_own_.empty() && !release_own()) return;
  note_delta(EventKind::reasoning, 0);
  owner_.append(EventKind::opaque, payload);
}

// Some servers give two calls the same id: a client could not say which one it answers.
bool Generation::has_call(std::string_view id, size_t except) const {
  for (size_t i = 0; i < tools_.size(); ++i) {
    if (i != except && tools_[i].first == id) return true;
  }
  return false;
}

// Clients find a call by its id, over all turns of a conversation.
std::string Generation::draw_call_id() const {
  unsigned char bytes[16];
  context_.random(bytes, sizeof bytes);
  return "call_" + text::random_letters(bytes);
}

void Generation::on_resumable(std::string_view token) {
  token_ = token;
  owner_.on_generation_resumable(upstream_->name, token_, attempts_.number());
}

void Generation::on_seam(std::string_view reason) {
  attempts_.taken_up();
  if (!token_.empty()) owner_.on_generation_resumable(upstream_->name, token_, attempts_.number());
  append_seam(reason);
}

void Generation::forget_own() {
  held_own_.clear();
  held_own_bytes_ = 0;
}

void Generation::forget_token() {
  if (!std::exchange(token_, {}).empty()) owner_.on_generation_resumable(upstream_->name, {}, attempts_.number());
}

bool Generation::append_seam(std::string_view reason) {
  return owner_.append(EventKind::upstream, seam_payload(attempts_.number(), reason));
}

void Generation::on_end(upstream::Outcome outcome) {
  const std::optional<upstream::Error> failure = outcome.failure;
  outcome_ = failure ? upstream::name_of(failure->code) : "ok";
  context_.metrics.upstream_result(attempts_.upstream().provider->kind(), outcome_);
  if (failure && (try_again(*failure) || fall_back(outcome))) return;
  // Such an answer is shown, though the stream failed.
  const bool shows = failure && failure->has_ended && !held_own_.empty() && !has_said();
  if (shows) note_first();
  if (!release_own()) return;
  state_ = State::closed;
  owner_.on_generation_end(std::move(outcome));
}

bool Generation::try_again(const upstream::Error& failure) {
  if (last_delta_us_ != 0) return false;
  uint32_t spread = 0;
  context_.random(&spread, sizeof spread);
  const auto wait_ms = attempts_.again(failure, *options_, context_.now_ms(), spread);
  if (!wait_ms) return false;
  call_.reset();
  forget_own();
  forget_token();
  context_.metrics.upstream_retry(attempts_.upstream().provider->kind());
  state_ = State::backing_off;
  timer_.arm(*wait_ms);
  append_seam(upstream::name_of(failure.code));
  return true;
}

bool Generation::fall_back(upstream::Outcome& outcome) {
  if (last_delta_us_ != 0 || !attempts_.next_fallback(*outcome.failure)) return false;
  call_.reset();
  forget_own();
  forget_token();
  leave_slot();
  let_go();
  last_outcome_ = std::move(outcome);
  ask_fallback();
  return true;
}

void Generation::ask_fallback() {
  state_ = State::preparing;
  owner_.prepare_again(attempts_.route(), [this, here = alive_.mark()](std::optional<upstream::Prepared> prepared) {
    if (here) on_prepared_fallback(std::move(prepared));
  });
}

// A fallback that does not support the request is passed over.
void Generation::on_prepared_fallback(std::optional<upstream::Prepared> prepared) {
  if (prepared && !*prepared && attempts_.next_fallback(*last_outcome_.failure)) return ask_fallback();
  if (!prepared || !*prepared) {
    state_ = State::closed;
    return owner_.on_generation_end(std::move(last_outcome_));
  }
  hold(std::move(**prepared));
  attempts_.fallen_back();
  state_ = State::idle;
  if (append_seam(upstream::name_of(last_outcome_.failure->code))) take_slot();
}

}  // namespace tokenrelay::relay
