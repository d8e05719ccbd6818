// The `anthropic` kind: Messages, streaming (DIALECTS.md, Messages).
//
// An answer is complete with a stop_reason and message_stop, the body's end, or end_of_body_ms without either; or with
// one whole message instead of a stream (servers that ignore `stream`). A 429 that speaks of spending is not retried.

#include <algorithm>
#include <array>

#include "service/json/sax.h"
#include "service/text/ascii.h"
#include "service/upstream/anthropic/answer.h"
#include "service/upstream/anthropic/request.h"
#include "service/upstream/http_provider.h"
#include "service/upstream/http_request.h"
#include "service/upstream/sse_call.h"

namespace tokenrelay::upstream {
namespace {

// What the body of a 429 says of a budget that is used up: no wait helps.
bool speaks_of_spending(std::string_view body) {
  static constexpr std::array<std::string_view, 5> words = {"spend", "billing", "credit balance", "insufficient_quota",
                                                            "usage limit"};
  const std::string text = text::lower(body);
  return std::any_of(words.begin(), words.end(), [&](auto word) { return text.find(word) != text.npos; });
}

class AnthropicCall final : public SseCall {
 public:
  using Shared = HttpShared;
  static constexpr std::string_view kind = "anthropic";
  static tl::expected<HttpPrepared, UnsupportedField> prepare(const ModelRequest& request,
                                                              const ProviderOptions& options);
  static client::HttpRequest models_request(const ProviderOptions& options);

  AnthropicCall(std::shared_ptr<Shared> shared, const HttpPreparedPtr& request, CallHandler& handler)
      : SseCall(shared->client, shared->options, handler), shared_(std::move(shared)), answer_(handler) {
    if (request->own && handler.wants_own()) answer_.own().begin(options());
    ask(request->http);
  }

 private:
  bool take_event(const SseEvent& event) override;
  bool take_document(std::string_view document, const client::TransferEnd& end) override;
  bool stopped() const override { return answer_.mark().stopped(); }
  bool marked() const override { return answer_.mark().marked(); }
  bool empty() const override { return answer_.empty(); }
  std::string_view left_out() const override { return answer_.left_out(); }
  bool explained(const Outcome&) const override { return answer_.explained(); }
  bool begun() const override { return answer_.begun(); }
  bool flush() override { return answer_.flush(); }
  Outcome outcome() const override { return answer_.outcome(); }
  const Usage& usage() const override { return answer_.usage(); }
  std::string_view response_id() const override { return answer_.id(); }
  bool refused(const client::HttpHead& head, std::string_view body) override;
  void stop(AnthropicAnswer::Taken taken, std::string_view payload);

  const std::shared_ptr<Shared> shared_;
  AnthropicAnswer answer_;
};

tl::expected<HttpPrepared, UnsupportedField> AnthropicCall::prepare(const ModelRequest& request,
                                                                    const ProviderOptions& options) {
  const OwnRequest* own = request.own_of(kind);
  auto body = anthropic_body(request);
  if (!body) return tl::make_unexpected(std::move(body.error()));
  HttpPrepared made;
  made.http.url = with_query(anthropic_url(options.base_url), own);
  made.http.headers = anthropic_headers(request, options);
  made.http.body = std::make_shared<const std::string>(std::move(*body));
  return made;
}

bool AnthropicCall::take_event(const SseEvent& event) {
  if (event.name == "ping") return true;  // not always JSON
  if (event.name == "error") {
    if (json::is_json(event.data) && !answer_.own().event(event.data, false)) return false;
    stop(AnthropicAnswer::Taken::error, event.data);
    return false;
  }
  if (event.data == "[DONE]") {  // of servers of another school
    end_of_stream();
    return false;
  }
  const auto taken = answer_.take(event.data, event.name);
  switch (taken) {
    case AnthropicAnswer::Taken::event:
      return true;
    case AnthropicAnswer::Taken::end:
      end_of_stream();
      return false;
    case AnthropicAnswer::Taken::not_json:
      if (event.unterminated) return true;
      not_json(event.data);
      return false;
    case AnthropicAnswer::Taken::gone:
      return false;
    default:
      stop(taken, event.data);
      return false;
  }
}

bool AnthropicCall::take_document(std::string_view document, const client::TransferEnd& end) {
  answer_.own().end();
  const auto taken = answer_.take(document);
  if (taken == AnthropicAnswer::Taken::gone) return false;
  if (taken == AnthropicAnswer::Taken::end) {
    if (stopped()) return true;
    end_of_stream();
  } else if (taken == AnthropicAnswer::Taken::not_json && end.cause != client::TransferEnd::Cause::clean) {
    fail(error_of_transfer(end, head().status));
  } else if (taken == AnthropicAnswer::Taken::event) {
    fail(protocol_error("the upstream's response is not a message", head().status));
  } else {
    stop(taken, document);
  }
  return false;
}

void AnthropicCall::stop(AnthropicAnswer::Taken taken, std::string_view payload) {
  const int status = head().status;
  switch (taken) {
    case AnthropicAnswer::Taken::error:
      return fail(error_in_stream(parse_error_body(payload), status));
    case AnthropicAnswer::Taken::nameless:
      return fail(protocol_error("the upstream sent a tool call without a name", status));
    case AnthropicAnswer::Taken::homeless:
      return fail(protocol_error("the upstream sent arguments of a tool call that had not begun or was over", status));
    case AnthropicAnswer::Taken::too_large:
      return fail(protocol_error("a part of the upstream's response is too large", status));
    default:
      return fail(protocol_error("the upstream sent data that is not JSON", payload, status));
  }
}

bool AnthropicCall::refused(const client::HttpHead& head, std::string_view body) {
  if (head.status != 429) return false;
  Error failure = error_of_status(head, parse_error_body(body));
  if (speaks_of_spending(body) && head.should_retry != true) failure.retryable = false;
  fail(std::move(failure));
  return true;
}

client::HttpRequest AnthropicCall::models_request(const ProviderOptions& options) {
  client::HttpRequest http;
  http.method = client::HttpRequest::Method::get;
  http.url = anthropic_url(options.base_url);
  http.url.replace(http.url.rfind('/') + 1, std::string::npos, "models?limit=1000");
  http.headers = anthropic_headers({}, options);
  return http;
}

}  // namespace

std::unique_ptr<Provider> make_anthropic(std::shared_ptr<client::HttpClient> client, ProviderOptions options) {
  return std::make_unique<HttpProvider<AnthropicCall>>(std::move(client), std::move(options));
}

}  // namespace tokenrelay::upstream
