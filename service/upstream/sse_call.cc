#include "service/upstream/sse_call.h"

#include <utility>

#include "service/json/sax.h"
#include "service/text/ascii.h"
#include "service/transport/loop.h"
#include "service/upstream/answer_headers.h"
#include "service/upstream/secrets.h"

namespace tokenrelay::upstream {
namespace {

constexpr size_t max_error_bytes = 64 << 10;
// What an upstream may send without saying anything: comments and empty events, in sizes of the largest event, and
// events that the dialect has no use for.
constexpr size_t max_idle_sizes = 4, max_idle_events = 100'000;
constexpr size_t max_words_bytes = 16 << 10;  // cut once its secrets are hidden

}  // namespace

SseCall::SseCall(std::shared_ptr<client::HttpClient> client, const ProviderOptions& options, CallHandler& handler)
    : client_(std::move(client)),
      options_(options),
      handler_(handler),
      end_of_body_(client_->loop().timers(), [this] { complete(); }) {}

void SseCall::ask(client::HttpRequest request) {
  transfer_.reset();
  head_ = client::HttpHead{};
  body_ = Body::unknown;
  document_.clear();
  idle_bytes_ = 0;
  words_.clear();
  SseSink& sink = *this;
  parser_.emplace(sink, options_.max_event_bytes);
  transfer_ = client_->send(std::move(request), *this);
}

void SseCall::pause() {
  if (!transfer_) return;
  transfer_->pause();
  end_of_body_.cancel();
}

void SseCall::resume() {
  if (!transfer_) return;
  transfer_->resume();
  body_mark_changed();
}

void SseCall::body_mark_changed() {
  if (!marked()) {
    end_of_body_.cancel();
  } else if (!end_of_body_.armed()) {  // what still comes (usage, pings) does not put the end off
    end_of_body_.arm(options_.timeouts.end_of_body_ms);
  }
}

void SseCall::on_head(const client::HttpHead& head) {
  head_ = head;
  answer_headers_ = std::make_shared<const AnswerHeaders>(answer_headers(head, options_.kind));
  head_.fields = {};
  handler_.on_headers(answer_headers_);
  if (head.status / 100 != 2) {
    body_ = Body::refused;
  } else {
    accepted();
    handler_.on_first_byte();
  }
}

void SseCall::on_body(std::string_view bytes) {
  idle_bytes_ += bytes.size();
  if (idle_bytes_ > max_idle_sizes * options_.max_event_bytes) {
    return fail(protocol_error("the upstream sends only comments or white space", head_.status));
  }
  if (body_ == Body::unknown && !recognise(bytes)) return;
  switch (body_) {
    case Body::unknown:
      return;
    case Body::events:
      return take_events(bytes);
    case Body::document:
      return gather(bytes);
    case Body::refused:
      document_ += bytes.substr(0, max_error_bytes - document_.size());
      if (document_.size() == max_error_bytes) refusal({});
  }
}

// Tells the kind of body by its first character, since content types are often wrong, and drops the white space before
// it. False: the call has ended.
bool SseCall::recognise(std::string_view& bytes) {
  const std::string_view text = text::strip(bytes);
  if (text.empty()) return true;
  bytes.remove_prefix(static_cast<size_t>(text.data() - bytes.data()));
  if (text.front() == '<') {
    fail(protocol_error("the upstream answered with HTML instead of events", head_.status));
    return false;
  }
  body_ = text.front() == '{' || text.front() == '[' ? Body::document : Body::events;
  return true;
}

void SseCall::take_events(std::string_view bytes) {
  if (parser_->feed(bytes) == SseParser::Result::too_large) {
    fail(protocol_error("the upstream sent an event that is too large", head_.status));
  }
}

void SseCall::gather(std::string_view bytes) {
  if (document_.size() + bytes.size() > options_.max_event_bytes) {
    return fail(protocol_error("the upstream's response is too large", head_.status));
  }
  document_ += bytes;
}

// Looked at every so many events, because a token should not pay for it. False: the call has ended.
bool SseCall::tells_something() {
  const uint64_t told = handler_.told_bytes();
  if (std::exchange(told_bytes_, told) != told) return true;
  fail(protocol_error("the upstream sends only events that say nothing", head_.status));
  return false;
}

bool SseCall::on_event(const SseEvent& event) {
  if (event.is_error_line) {
    fail(error_in_stream(parse_error_body(event.data), head_.status));
    return false;
  }
  SseEvent seen = event;
  seen.data = text::strip(event.data);
  if (seen.data.empty() || (seen.is_bare && !take_bare(seen))) return true;
  idle_bytes_ = 0;
  if (++events_ % max_idle_events == 0 && !tells_something()) return false;
  if (!take_event(seen)) return false;
  body_mark_changed();
  return true;
}

// What stands in the stream without a field counts if it is JSON. False: it does not.
bool SseCall::take_bare(SseEvent& event) {
  if (json::is_json(event.data)) return true;
  if (words_.size() < max_words_bytes) {
    if (!words_.empty()) words_ += ' ';
    words_ += event.data.substr(0, max_words_bytes - words_.size());
  }
  return false;
}

void SseCall::on_end(const client::TransferEnd& end) {
  using Cause = client::TransferEnd::Cause;
  if (body_ == Body::refused) return refusal(end);
  if (end.cause == Cause::undecodable && !stopped()) return fail(error_of_transfer(end, head_.status));
  transport::Lifeline::Watch watch(line_);
  if (body_ == Body::document) {
    const std::string document = std::move(document_);
    if (take_document(document, end) && !watch.gone()) complete();
    return;
  }
  if (body_ == Body::events && parser_->finish() == SseParser::Result::stopped) return;
  if (watch.gone()) return;
  if (stopped()) return complete();
  if (body_ == Body::events && !begun() && end.cause == client::TransferEnd::Cause::clean &&
      head_.content_type != "text/event-stream") {
    return fail(protocol_error("the upstream's response contains no events", words_, head_.status));
  }
  if (cut(end) || watch.gone()) return;
  fail(error_of_transfer(end, head_.status));
}

void SseCall::refusal(const client::TransferEnd& end) {
  transport::Lifeline::Watch watch(line_);
  const std::string body = std::move(document_);
  if (json::is_json(body)) refusal_ = body;
  const client::HttpHead head = head_;
  if (refused(head, body) || watch.gone()) return;
  ProviderError error = parse_error_body(body);
  if (end.cause == client::TransferEnd::Cause::undecodable && error.message.empty()) {
    error.message = "the upstream answered with status " + std::to_string(head.status) +
                    "; its body cannot be decoded: " + end.message;
  }
  fail(error_of_status(head, error));
}

void SseCall::complete(bool keep_connection) {
  transport::Lifeline::Watch watch(line_);
  if (keep_connection && transfer_) transfer_->finish();
  if (flush() && !watch.gone()) end(verdict());
}

void SseCall::end_of_stream() {
  if (stopped()) return complete(true);
  fail({ErrorCode::upstream_truncated, "the upstream's response ended and did not say why the model stopped", true,
        std::nullopt, head_.status});
}

void SseCall::not_json(std::string_view payload) {
  if (stopped()) return complete(true);
  fail(protocol_error("the upstream sent an event that is not JSON", payload, head_.status));
}

bool SseCall::explained(const Outcome& outcome) const {
  return outcome.finish_reason == FinishReason::length || outcome.finish_reason == FinishReason::content_filter;
}

// Of an answer that is complete: a success, unless it has nothing to show and does not say why.
Outcome SseCall::verdict() const {
  Outcome out = judged();
  if (out.failure) out.failure->has_ended = true;
  return out;
}

Outcome SseCall::judged() const {
  Outcome out = outcome();
  if (out.failure || !empty()) return out;
  if (const auto what = left_out(); !what.empty()) {
    out.failure = Error{ErrorCode::upstream_error, "the upstream answered with ", false, std::nullopt, head_.status};
    out.failure->message += std::string(what) + " and nothing else, which the relay cannot hand on";
  } else if (out.usage.output_tokens.value_or(0) == 0 && !explained(out)) {
    out.failure = Error{ErrorCode::upstream_empty, "the upstream's answer is empty, and does not say why", true,
                        std::nullopt, head_.status};
  }
  return out;
}

void SseCall::fail(Error failure) {
  transport::Lifeline::Watch watch(line_);
  if (!flush() || watch.gone()) return;
  Outcome outcome;
  outcome.failure = std::move(failure);
  outcome.usage = usage();
  end(std::move(outcome));
}

void SseCall::end(Outcome outcome) {
  if (outcome.failure) {
    Error& failure = *outcome.failure;
    failure.headers = answer_headers_;
    failure.message = client_message(failure.message, options_);
    if (!refusal_.empty() && failure.code != ErrorCode::upstream_auth) {
      failure.own_kind = options_.kind;
      failure.own_body = without_secrets(std::move(refusal_), options_);
    }
  }
  outcome.response_id = response_id_of(response_id());
  end_of_body_.cancel();
  transfer_.reset();  // closes the connection if it is still open
  handler_.on_end(std::move(outcome));
}

}  // namespace tokenrelay::upstream
