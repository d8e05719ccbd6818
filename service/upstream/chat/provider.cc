// The `openai` kind: Chat Completions, streaming (DIALECTS.md, Chat Completions).
//
// An answer is complete with a finish_reason for every choice that was seen and what ends it (sse_call.h), `[DONE]` in
// this protocol; or with one whole `chat.completion` instead of a stream (servers that ignore `stream`). If a server
// refuses `stream_options` (a 400 or 422 that names it), the request is sent again without it, and so are all later
// ones.

#include <algorithm>

#include "service/json/sax.h"
#include "service/text/ascii.h"
#include "service/upstream/chat/answer.h"
#include "service/upstream/chat/request.h"
#include "service/upstream/http_provider.h"
#include "service/upstream/http_request.h"
#include "service/upstream/sse_call.h"

namespace tokenrelay::upstream {
namespace {

struct ChatShared : HttpShared {
  bool knows_stream_options = true;
};

// What some gateways send to keep a connection open, with a text of their own.
bool is_pulse(std::string_view event_name) {
  return event_name == "ping" || event_name == "heartbeat" || event_name == "keepalive" || event_name == "keep-alive";
}

bool is_event(std::string_view line) {
  return line == "[DONE]" || json::is_json(line);
}

class OpenAiCall final : public SseCall {
 public:
  using Shared = ChatShared;
  static constexpr std::string_view kind = "openai";
  static tl::expected<HttpPrepared, UnsupportedField> prepare(const ModelRequest& request,
                                                              const ProviderOptions& options);
  static client::HttpRequest models_request(const ProviderOptions& options);

  OpenAiCall(std::shared_ptr<Shared> shared, HttpPreparedPtr request, CallHandler& handler)
      : SseCall(shared->client, shared->options, handler),
        answer_(handler),
        shared_(std::move(shared)),
        request_(std::move(request)) {
    if (request_->own && handler.wants_own()) answer_.own().begin(options());
    post();
  }

 private:
  void post();
  bool take_event(const SseEvent& event) override;
  bool take_lines(const SseEvent& event);
  bool take_document(std::string_view document, const client::TransferEnd& end) override;
  bool stopped() const override { return answer_.stopped(); }
  bool marked() const override { return answer_.marked(); }
  bool empty() const override { return answer_.empty(); }
  std::string_view left_out() const override { return answer_.left_out(); }
  bool begun() const override { return answer_.begun(); }
  bool flush() override { return answer_.flush(); }
  Outcome outcome() const override { return answer_.outcome(); }
  const Usage& usage() const override { return answer_.usage(); }
  std::string_view response_id() const override { return answer_.id(); }
  bool refused(const client::HttpHead& head, std::string_view body) override;
  void accepted() override { request_.reset(); }

  ChatAnswer answer_;
  const std::shared_ptr<Shared> shared_;
  HttpPreparedPtr request_;  // null once it was accepted: it will not be sent again
  bool sent_stream_options_ = false;
};

void OpenAiCall::post() {
  sent_stream_options_ = shared_->knows_stream_options;
  client::HttpRequest http = request_->http;
  if (!sent_stream_options_) http.body = std::make_shared<const std::string>(without_stream_options(*http.body));
  ask(std::move(http));
}

tl::expected<HttpPrepared, UnsupportedField> OpenAiCall::prepare(const ModelRequest& request,
                                                                 const ProviderOptions& options) {
  const OwnRequest* own = request.own_of(kind);
  if (own == nullptr) {
    if (auto refused = openai_refuses(request)) return tl::make_unexpected(std::move(*refused));
  }
  HttpPrepared made;
  made.http.url = with_query(joined_url(options.base_url, "/chat/completions"), own);
  made.http.headers = request_headers(request.request_id, options, {{"Authorization", bearer(options)}}, own);
  made.http.body =
      std::make_shared<const std::string>(own ? openai_own_body(*own, request.model) : openai_body(request));
  return made;
}

bool OpenAiCall::take_event(const SseEvent& event) {
  if (event.name == "error") {
    if (json::is_json(event.data) && !answer_.own().event(event.data, false)) return false;
    fail(error_in_stream(parse_error_body(event.data), head().status));
    return false;
  }
  if (event.data == "[DONE]" || event.data == "\"[DONE]\"") {
    end_of_stream();
    return false;
  }
  switch (answer_.take(event.data)) {
    case ChatAnswer::Taken::gone:
      return false;
    case ChatAnswer::Taken::error:
      fail(error_in_stream(answer_.error(), head().status));
      return false;
    case ChatAnswer::Taken::not_json:
      return event.unterminated || is_pulse(event.name) || take_lines(event);
    case ChatAnswer::Taken::too_large:
      fail(protocol_error("a part of the upstream's response is too large", head().status));
      return false;
    case ChatAnswer::Taken::chunk:
      break;
  }
  return true;
}

// Some servers leave out the blank lines: the events of several `data` lines then come as one. False: the call has
// ended or was destroyed.
bool OpenAiCall::take_lines(const SseEvent& event) {
  std::string_view rest = event.data;
  SseEvent line = event;
  do {
    const size_t end = std::min(rest.find('\n'), rest.size());
    line.data = text::strip(rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.data.empty()) continue;
    if (line.data.size() == event.data.size() || !is_event(line.data)) {
      not_json(event.data);
      return false;
    }
    if (!take_event(line)) return false;
  } while (!rest.empty());
  return true;
}

// An answer that is not a stream: a whole completion, or an error under status 200.
bool OpenAiCall::take_document(std::string_view document, const client::TransferEnd& end) {
  const bool clean = end.cause == client::TransferEnd::Cause::clean;
  answer_.own().end();
  switch (answer_.take(document)) {
    case ChatAnswer::Taken::gone:
      return false;
    case ChatAnswer::Taken::error:
      fail(error_in_stream(answer_.error(), head().status));
      return false;
    case ChatAnswer::Taken::not_json:
      fail(clean ? protocol_error("the upstream's response is not JSON", document, head().status)
                 : error_of_transfer(end, head().status));
      return false;
    case ChatAnswer::Taken::too_large:
      fail(protocol_error("a part of the upstream's response is too large", head().status));
      return false;
    case ChatAnswer::Taken::chunk:
      break;
  }
  if (answer_.stopped()) return true;
  if (answer_.begun()) {
    end_of_stream();
  } else {
    fail(protocol_error("the upstream's response is not a chat completion", head().status));
  }
  return false;
}

bool OpenAiCall::refused(const client::HttpHead& head, std::string_view body) {
  const bool complains = body.find("stream_options") != body.npos || body.find("include_usage") != body.npos;
  if (!sent_stream_options_ || !complains || (head.status != 400 && head.status != 422)) return false;
  shared_->knows_stream_options = false;
  post();
  return true;
}

client::HttpRequest OpenAiCall::models_request(const ProviderOptions& options) {
  client::HttpRequest http;
  http.method = client::HttpRequest::Method::get;
  http.url = joined_url(options.base_url, "/models");
  http.headers = request_headers({}, options, {{"Authorization", bearer(options)}}, nullptr, false);
  return http;
}

}  // namespace

std::unique_ptr<Provider> make_openai_chat(std::shared_ptr<client::HttpClient> client, ProviderOptions options) {
  return std::make_unique<HttpProvider<OpenAiCall>>(std::move(client), std::move(options));
}

}  // namespace tokenrelay::upstream
