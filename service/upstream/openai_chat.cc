// The `openai` kind: Chat Completions, streaming (WIRE.md 0.1, 1 and 6).
//
// When it is complete: a finish_reason for every choice and then `[DONE]`, the body's clean end, or end_of_body_ms of
// neither (a cut before that is a truncation); `[DONE]` alone; or one whole `chat.completion` instead of a stream
// (servers that ignore `stream`). A server that refuses `stream_options` (400 or 422 naming it) is asked once more
// without, and from then on.

#include "service/transport/loop.h"
#include "service/transport/timer_wheel.h"
#include "service/upstream/chat_answer.h"
#include "service/upstream/failure.h"
#include "service/upstream/http_client.h"
#include "service/upstream/lifeline.h"
#include "service/upstream/openai_request.h"
#include "service/upstream/providers.h"
#include "service/upstream/sse_parser.h"

namespace tokenrelay::upstream {
namespace {

constexpr size_t max_error_bytes = 64 << 10;

struct Shared {
  std::shared_ptr<HttpClient> client;
  ProviderOptions options;
  bool knows_stream_options = true;
};

std::string_view trimmed(std::string_view text) {
  const size_t from = text.find_first_not_of(" \t\r\n");
  if (from == text.npos) return {};
  return text.substr(from, text.find_last_not_of(" \t\r\n") - from + 1);
}

class OpenAiCall final : public Call, private TransferHandler, private SseSink {
 public:
  OpenAiCall(std::shared_ptr<Shared> shared, ModelRequest request, CallHandler& handler)
      : shared_(std::move(shared)),
        request_(std::move(request)),
        handler_(handler),
        answer_(handler),
        parser_(*this, shared_->options.max_event_bytes),
        end_of_body_(shared_->client->loop().timers(), [this] { complete(); }) {
    post();
  }

  void pause() override {
    if (!transfer_) return;
    transfer_->pause();
    end_of_body_.cancel();
  }
  void resume() override {
    if (!transfer_) return;
    transfer_->resume();
    if (answer_.marked()) end_of_body_.arm(shared_->options.timeouts.end_of_body_ms);
  }

 private:
  enum class Body { unknown, events, document, refused };

  void post();
  void on_head(const HttpHead& head) override;
  void on_body(std::string_view bytes) override;
  void on_end(const TransferEnd& end) override;
  bool on_event(const SseEvent& event) override;

  bool recognise(std::string_view bytes);
  void take_events(std::string_view bytes);
  void take_document(std::string_view bytes);
  bool take_payload(std::string_view payload, bool may_be_cut);
  void document_ended(const TransferEnd& end);
  void refused();
  bool ask_without_stream_options();

  void complete(bool keep_connection = false);
  void fail(Failure failure);
  void end(Outcome outcome);

  const std::shared_ptr<Shared> shared_;
  const ModelRequest request_;
  CallHandler& handler_;
  ChatAnswer answer_;
  SseParser parser_;
  transport::Timer end_of_body_;
  std::unique_ptr<Transfer> transfer_;
  HttpHead head_;
  Body body_ = Body::unknown;
  std::string document_;  // an error's body, or an answer that is no stream
  bool sent_stream_options_ = false;
  Lifeline line_;
};

void OpenAiCall::post() {
  sent_stream_options_ = shared_->knows_stream_options;
  HttpRequest http;
  http.url = joined_url(shared_->options.base_url, "/chat/completions");
  http.headers = openai_headers(request_, shared_->options);
  http.body = openai_body(request_, sent_stream_options_);
  http.timeouts = shared_->options.timeouts;
  transfer_ = shared_->client->post(std::move(http), *this);
}

void OpenAiCall::on_head(const HttpHead& head) {
  head_ = head;
  if (head.status / 100 != 2) {
    body_ = Body::refused;
  } else {
    handler_.on_first_byte();
  }
}

void OpenAiCall::on_body(std::string_view bytes) {
  if (body_ == Body::unknown && !recognise(bytes)) return;
  switch (body_) {
    case Body::unknown:
      return;
    case Body::events:
      return take_events(bytes);
    case Body::document:
      return take_document(bytes);
    case Body::refused:
      document_ += bytes.substr(0, max_error_bytes - document_.size());
      if (document_.size() == max_error_bytes) refused();
  }
}

// By its first character, since content types lie. False: the call has ended.
bool OpenAiCall::recognise(std::string_view bytes) {
  const std::string_view text = trimmed(bytes);
  if (text.empty()) return true;
  if (text.front() == '<') {
    fail(protocol_failure("the upstream answered with a page, not with events", head_.status));
    return false;
  }
  body_ = text.front() == '{' || text.front() == '[' ? Body::document : Body::events;
  return true;
}

void OpenAiCall::take_events(std::string_view bytes) {
  if (parser_.feed(bytes) == SseParser::Result::too_large) {
    fail(protocol_failure("an event of the upstream is too large", head_.status));
  }
}

void OpenAiCall::take_document(std::string_view bytes) {
  if (document_.size() + bytes.size() > shared_->options.max_event_bytes) {
    return fail(protocol_failure("the upstream's answer is too large", head_.status));
  }
  document_ += bytes;
}

bool OpenAiCall::on_event(const SseEvent& event) {
  if (event.is_error_line || event.name == "error") {
    fail(failure_in_stream(parse_error_body(event.data), head_.status));
    return false;
  }
  const std::string_view payload = trimmed(event.data);
  if (payload.empty()) return true;
  if (payload == "[DONE]") {
    complete(true);
    return false;
  }
  return take_payload(payload, event.unterminated);
}

// False: the call has ended, or is gone.
bool OpenAiCall::take_payload(std::string_view payload, bool may_be_cut) {
  switch (answer_.take(payload)) {
    case ChatAnswer::Taken::gone:
      return false;
    case ChatAnswer::Taken::error:
      fail(failure_in_stream(answer_.error(), head_.status));
      return false;
    case ChatAnswer::Taken::not_json:
      if (may_be_cut) return true;
      fail(protocol_failure("an event of the upstream is not JSON", head_.status));
      return false;
    case ChatAnswer::Taken::chunk:
      break;
  }
  if (answer_.marked()) {
    end_of_body_.arm(shared_->options.timeouts.end_of_body_ms);
  } else {
    end_of_body_.cancel();
  }
  return true;
}

void OpenAiCall::on_end(const TransferEnd& end) {
  if (body_ == Body::refused) return refused();
  if (body_ == Body::document) return document_ended(end);
  Lifeline::Watch watch(line_);
  if (body_ == Body::events && parser_.finish() == SseParser::Result::stopped) return;
  if (watch.gone()) return;
  if (answer_.marked() && end.cause == TransferEnd::Cause::clean) return complete();
  if (body_ == Body::events && !answer_.begun() && end.cause == TransferEnd::Cause::clean &&
      head_.content_type != "text/event-stream") {
    return fail(protocol_failure("the upstream answered with no events", head_.status));
  }
  fail(failure_of_transfer(end, head_.status));
}

// An answer that is no stream: the whole completion at once, or an error under status 200.
void OpenAiCall::document_ended(const TransferEnd& end) {
  const bool clean = end.cause == TransferEnd::Cause::clean;
  switch (answer_.take(document_)) {
    case ChatAnswer::Taken::gone:
      return;
    case ChatAnswer::Taken::error:
      return fail(failure_in_stream(answer_.error(), head_.status));
    case ChatAnswer::Taken::not_json:
      return fail(clean ? protocol_failure("the upstream's answer is not JSON", head_.status)
                        : failure_of_transfer(end, head_.status));
    case ChatAnswer::Taken::chunk:
      break;
  }
  if (!answer_.begun()) return fail(protocol_failure("the upstream's answer is no completion", head_.status));
  complete();
}

void OpenAiCall::refused() {
  if (ask_without_stream_options()) return;
  fail(failure_of_status(head_, parse_error_body(document_)));
}

bool OpenAiCall::ask_without_stream_options() {
  const bool complains =
      document_.find("stream_options") != document_.npos || document_.find("include_usage") != document_.npos;
  if (!sent_stream_options_ || !complains || (head_.status != 400 && head_.status != 422)) return false;
  shared_->knows_stream_options = false;
  transfer_.reset();
  head_ = HttpHead{};
  body_ = Body::unknown;
  document_.clear();
  post();
  return true;
}

void OpenAiCall::complete(bool keep_connection) {
  Lifeline::Watch watch(line_);
  if (keep_connection && transfer_) transfer_->finish();
  if (answer_.flush() && !watch.gone()) end(answer_.outcome());
}

void OpenAiCall::fail(Failure failure) {
  if (!answer_.flush()) return;
  failure.message = client_message(failure.message, shared_->options.api_key);
  Outcome outcome;
  outcome.failure = std::move(failure);
  outcome.usage = answer_.usage();
  end(std::move(outcome));
}

void OpenAiCall::end(Outcome outcome) {
  end_of_body_.cancel();
  transfer_.reset();  // closes what is still open
  handler_.on_end(std::move(outcome));
}

class OpenAiProvider final : public Provider {
 public:
  explicit OpenAiProvider(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  std::string_view kind() const override { return "openai"; }

  std::unique_ptr<Call> start(ModelRequest request, CallHandler& handler) override {
    return std::make_unique<OpenAiCall>(shared_, std::move(request), handler);
  }

 private:
  const std::shared_ptr<Shared> shared_;
};

}  // namespace

std::unique_ptr<Provider> make_openai_chat(std::shared_ptr<HttpClient> client, ProviderOptions options) {
  return std::make_unique<OpenAiProvider>(std::make_shared<Shared>(Shared{std::move(client), std::move(options)}));
}

}  // namespace tokenrelay::upstream
