// The `openai` kind: Chat Completions, streaming (DIALECTS.md, Chat Completions).
//
// An answer is complete with `[DONE]`; with a finish_reason for every choice and the body's clean end, or
// end_of_body_ms without it (a connection cut before that is a truncation); or with one whole `chat.completion` instead
// of a stream (servers that ignore `stream`). If a server refuses `stream_options` (a 400 or 422 that names it), the
// request is sent again without it, and so are all later ones.

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

class OpenAiCall final : public SseCall {
 public:
  using Shared = ChatShared;
  static constexpr std::string_view kind = "openai";
  static tl::expected<HttpPrepared, UnsupportedField> prepare(const ModelRequest& request,
                                                              const ProviderOptions& options);

  OpenAiCall(std::shared_ptr<Shared> shared, HttpPreparedPtr request, CallHandler& handler)
      : SseCall(shared->client, shared->options, handler),
        answer_(handler),
        shared_(std::move(shared)),
        request_(std::move(request)) {
    post();
  }

 private:
  void post();
  bool take_event(const SseEvent& event) override;
  bool take_document(std::string_view document, const client::TransferEnd& end) override;
  bool stopped() const override { return answer_.marked(); }
  bool begun() const override { return answer_.begun(); }
  bool flush() override { return answer_.flush(); }
  Outcome outcome() const override { return answer_.outcome(); }
  const Usage& usage() const override { return answer_.usage(); }
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
  if (auto refused = openai_refuses(request)) return tl::make_unexpected(std::move(*refused));
  HttpPrepared made;
  made.http.url = joined_url(options.base_url, "/chat/completions");
  made.http.headers = request_headers(request.request_id, options, {{"Authorization", bearer(options)}});
  made.http.body = std::make_shared<const std::string>(openai_body(request));
  return made;
}

bool OpenAiCall::take_event(const SseEvent& event) {
  if (event.name == "error") {
    fail(error_in_stream(parse_error_body(event.data), head().status));
    return false;
  }
  if (event.data == "[DONE]") {
    complete(true);
    return false;
  }
  switch (answer_.take(event.data)) {
    case ChatAnswer::Taken::gone:
      return false;
    case ChatAnswer::Taken::error:
      fail(error_in_stream(answer_.error(), head().status));
      return false;
    case ChatAnswer::Taken::not_json:
      if (event.unterminated) return true;
      not_json(event.data);
      return false;
    case ChatAnswer::Taken::chunk:
      break;
  }
  return true;
}

// An answer that is not a stream: a whole completion, or an error under status 200.
bool OpenAiCall::take_document(std::string_view document, const client::TransferEnd& end) {
  const bool clean = end.cause == client::TransferEnd::Cause::clean;
  switch (answer_.take(document)) {
    case ChatAnswer::Taken::gone:
      return false;
    case ChatAnswer::Taken::error:
      fail(error_in_stream(answer_.error(), head().status));
      return false;
    case ChatAnswer::Taken::not_json:
      fail(clean ? protocol_error("the upstream's response is not JSON", head().status)
                 : error_of_transfer(end, head().status));
      return false;
    case ChatAnswer::Taken::chunk:
      break;
  }
  if (answer_.begun()) return true;
  fail(protocol_error("the upstream's response is not a chat completion", head().status));
  return false;
}

bool OpenAiCall::refused(const client::HttpHead& head, std::string_view body) {
  const bool complains = body.find("stream_options") != body.npos || body.find("include_usage") != body.npos;
  if (!sent_stream_options_ || !complains || (head.status != 400 && head.status != 422)) return false;
  shared_->knows_stream_options = false;
  post();
  return true;
}

}  // namespace

std::unique_ptr<Provider> make_openai_chat(std::shared_ptr<client::HttpClient> client, ProviderOptions options) {
  return std::make_unique<HttpProvider<OpenAiCall>>(std::move(client), std::move(options));
}

}  // namespace tokenrelay::upstream
