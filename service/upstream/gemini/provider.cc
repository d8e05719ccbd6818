// The `gemini` kind: streamGenerateContent (DIALECTS.md, Gemini).
//
// An answer is complete with a finishReason (or a blocked prompt) and the body's end, or end_of_body_ms without it; or
// with one whole response, or an array of them, instead of a stream (servers that ignore alt=sse).

#include "service/json/sax.h"
#include "service/text/ascii.h"
#include "service/upstream/gemini/answer.h"
#include "service/upstream/gemini/error.h"
#include "service/upstream/gemini/request.h"
#include "service/upstream/http_provider.h"
#include "service/upstream/http_request.h"
#include "service/upstream/sse_call.h"

namespace tokenrelay::upstream {
namespace {

using Taken = GeminiAnswer::Taken;

class GeminiCall final : public SseCall {
 public:
  using Shared = HttpShared;
  static constexpr std::string_view kind = "gemini";
  static tl::expected<HttpPrepared, UnsupportedField> prepare(const ModelRequest& request,
                                                              const ProviderOptions& options);
  static client::HttpRequest models_request(const ProviderOptions& options);

  GeminiCall(std::shared_ptr<Shared> shared, const HttpPreparedPtr& request, CallHandler& handler)
      : SseCall(shared->client, shared->options, handler), shared_(std::move(shared)), answer_(handler) {
    if (request->own && handler.wants_own()) answer_.own().begin(options());
    ask(request->http);
  }

 private:
  bool take_event(const SseEvent& event) override;
  bool take_document(std::string_view document, const client::TransferEnd& end) override;
  bool stopped() const override { return answer_.stopped(); }
  bool marked() const override { return answer_.marked(); }
  bool empty() const override { return answer_.empty(); }
  std::string_view left_out() const override { return answer_.left_out(); }
  bool explained(const Outcome&) const override { return answer_.explained(); }
  bool begun() const override { return answer_.begun(); }
  bool flush() override { return answer_.flush(); }
  Outcome outcome() const override { return answer_.outcome(); }
  const Usage& usage() const override { return answer_.usage(); }
  std::string_view response_id() const override { return answer_.id(); }
  bool refused(const client::HttpHead& head, std::string_view body) override;
  bool take_whole(std::string_view payload);
  bool take_array(std::string_view array);
  void stop(Taken taken, std::string_view payload);

  const std::shared_ptr<Shared> shared_;
  GeminiAnswer answer_;
};

tl::expected<HttpPrepared, UnsupportedField> GeminiCall::prepare(const ModelRequest& request,
                                                                 const ProviderOptions& options) {
  auto body = gemini_body(request);
  if (!body) return tl::make_unexpected(std::move(body.error()));
  HttpPrepared made;
  made.http.url = with_query(gemini_url(options.base_url, request.model), request.own_of(kind));
  made.http.headers = gemini_headers(request, options);
  made.http.body = std::make_shared<const std::string>(std::move(*body));
  return made;
}

bool GeminiCall::take_event(const SseEvent& event) {
  if (event.name == "ping") return true;  // of servers of another school, and not always JSON
  if (event.name == "error") {
    if (json::is_json(event.data) && !answer_.own().event(event.data, false)) return false;
    stop(Taken::error, event.data);
    return false;
  }
  if (event.data == "[DONE]") {  // some proxies add it
    end_of_stream();
    return false;
  }
  if (event.data.front() == '[') {
    if (json::is_json(event.data)) return take_array(event.data);
    if (!event.unterminated) not_json(event.data);
    return event.unterminated;
  }
  const Taken taken = answer_.take(event.data);
  if (taken == Taken::chunk || (taken == Taken::not_json && event.unterminated)) return true;
  if (taken != Taken::gone) stop(taken, event.data);
  return false;
}

// False: the call has ended or was destroyed.
bool GeminiCall::take_whole(std::string_view payload) {
  const Taken taken = answer_.take(payload);
  if (taken == Taken::chunk) return true;
  if (taken != Taken::gone) stop(taken, payload);
  return false;
}

// An array of responses, which is JSON.
bool GeminiCall::take_array(std::string_view array) {
  std::string scratch;
  json::Reader in(array, scratch);
  bool going = true;
  in.array([&] {
    going = take_whole(in.raw());
    if (!going) in.stop();
  });
  return going;
}

bool GeminiCall::take_document(std::string_view document, const client::TransferEnd& end) {
  if (!json::is_json(document)) {
    const bool clean = end.cause == client::TransferEnd::Cause::clean;
    fail(clean ? protocol_error("the upstream's response is not JSON", document, head().status)
               : error_of_transfer(end, head().status));
    return false;
  }
  const bool is_array = text::strip(document).starts_with('[');
  const bool going = is_array ? take_array(document) : take_whole(document);
  if (!going || answer_.stopped()) return going;
  fail(protocol_error("the upstream's response is not a finished one", head().status));
  return false;
}

void GeminiCall::stop(Taken taken, std::string_view payload) {
  switch (taken) {
    case Taken::error:
      return fail(gemini_error(head(), answer_.error().empty() ? payload : answer_.error()));
    case Taken::partial:
      return fail(protocol_error("the upstream sent a function call in pieces, which the relay does not support",
                                 head().status));
    case Taken::nameless:
      return fail(protocol_error("the upstream sent a function call without a name", head().status));
    case Taken::too_large:
      return fail(protocol_error("a part of the upstream's response is too large", head().status));
    default:
      return not_json(payload);
  }
}

bool GeminiCall::refused(const client::HttpHead& head, std::string_view body) {
  fail(gemini_error(head, body));
  return true;
}

client::HttpRequest GeminiCall::models_request(const ProviderOptions& options) {
  client::HttpRequest http;
  http.method = client::HttpRequest::Method::get;
  const std::string url = gemini_url(options.base_url, "m");
  http.url = url.substr(0, url.rfind("/models/")) + "/models?pageSize=1000";
  http.headers = gemini_headers({}, options);
  return http;
}

}  // namespace

std::unique_ptr<Provider> make_gemini(std::shared_ptr<client::HttpClient> client, ProviderOptions options) {
  return std::make_unique<HttpProvider<GeminiCall>>(std::move(client), std::move(options));
}

}  // namespace tokenrelay::upstream
