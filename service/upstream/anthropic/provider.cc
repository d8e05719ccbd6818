// The `anthropic` kind: Messages, streaming (DIALECTS.md, Messages).
//
// An answer is complete with message_stop, or with one whole message instead of a stream (servers that ignore
// `stream`); any other end is a truncation. A 429 that does not say when to retry is a spend cap, and is not retried.

#include "service/upstream/anthropic/answer.h"
#include "service/upstream/anthropic/request.h"
#include "service/upstream/http_provider.h"
#include "service/upstream/sse_call.h"

namespace tokenrelay::upstream {
namespace {

class AnthropicCall final : public SseCall {
 public:
  using Shared = HttpShared;
  static constexpr std::string_view kind = "anthropic";
  static tl::expected<HttpPrepared, UnsupportedField> prepare(const ModelRequest& request,
                                                              const ProviderOptions& options);

  AnthropicCall(std::shared_ptr<Shared> shared, const HttpPreparedPtr& request, CallHandler& handler)
      : SseCall(shared->client, shared->options, handler), shared_(std::move(shared)), answer_(handler) {
    ask(request->http);
  }

 private:
  bool take_event(const SseEvent& event) override;
  bool take_document(std::string_view document, const client::TransferEnd& end) override;
  bool stopped() const override { return false; }  // message_stop completes the call at once
  bool begun() const override { return answer_.begun(); }
  bool flush() override { return answer_.flush(); }
  Outcome outcome() const override { return answer_.outcome(); }
  const Usage& usage() const override { return answer_.usage(); }
  bool refused(const client::HttpHead& head, std::string_view body) override;
  void stop(AnthropicAnswer::Taken taken, std::string_view payload);

  const std::shared_ptr<Shared> shared_;
  AnthropicAnswer answer_;
};

tl::expected<HttpPrepared, UnsupportedField> AnthropicCall::prepare(const ModelRequest& request,
                                                                    const ProviderOptions& options) {
  auto body = anthropic_body(request);
  if (!body) return tl::make_unexpected(std::move(body.error()));
  HttpPrepared made;
  made.http.url = anthropic_url(options.base_url);
  made.http.headers = anthropic_headers(request, options);
  made.http.body = std::make_shared<const std::string>(std::move(*body));
  return made;
}

bool AnthropicCall::take_event(const SseEvent& event) {
  const auto taken = answer_.take(event.data);
  switch (taken) {
    case AnthropicAnswer::Taken::event:
      return true;
    case AnthropicAnswer::Taken::end:
      complete(true);
      return false;
    case AnthropicAnswer::Taken::not_json:
      if (event.unterminated) return true;
      break;
    case AnthropicAnswer::Taken::gone:
      return false;
    default:
      break;
  }
  stop(taken, event.data);
  return false;
}

bool AnthropicCall::take_document(std::string_view document, const client::TransferEnd& end) {
  const auto taken = answer_.take(document);
  if (taken == AnthropicAnswer::Taken::gone) return false;
  if (taken == AnthropicAnswer::Taken::end) return true;
  if (taken == AnthropicAnswer::Taken::not_json && end.cause != client::TransferEnd::Cause::clean) {
    fail(error_of_transfer(end, head().status));
  } else if (taken == AnthropicAnswer::Taken::event) {
    fail(protocol_error("the upstream's response is not a message", head().status));
  } else {
    stop(taken, document);
  }
  return false;
}

void AnthropicCall::stop(AnthropicAnswer::Taken taken, std::string_view payload) {
  if (taken == AnthropicAnswer::Taken::error) return fail(error_in_stream(parse_error_body(payload), head().status));
  const bool is_json = taken == AnthropicAnswer::Taken::too_large;
  fail(protocol_error(
      is_json ? "a part of the upstream's response is too large" : "the upstream sent data that is not JSON",
      head().status));
}

bool AnthropicCall::refused(const client::HttpHead& head, std::string_view body) {
  if (head.status != 429) return false;
  Error failure = error_of_status(head, parse_error_body(body));
  const bool waits = head.retry_after_ms && body.find("spend_limit") == body.npos;
  if (!waits && head.should_retry != true) failure.retryable = false;
  fail(std::move(failure));
  return true;
}

}  // namespace

std::unique_ptr<Provider> make_anthropic(std::shared_ptr<client::HttpClient> client, ProviderOptions options) {
  return std::make_unique<HttpProvider<AnthropicCall>>(std::move(client), std::move(options));
}

}  // namespace tokenrelay::upstream
