// The `openai-responses` kind: Responses, streaming (DIALECTS.md, Responses).
//
// An answer is complete with response.completed or response.incomplete, or with one whole response instead of a stream;
// any other end is a truncation.
//
// In background mode the answer outlives its connection. After a lost connection it is resumed after the last event
// that was received: five tries, the first after 200 ms, then doubling (or as long as the upstream asks), 60 s in all;
// both limits start again once something new has arrived. 400, 404 and 410 are final. A call that is destroyed before
// its end cancels the answer at the upstream.

#include <algorithm>
#include <cctype>

#include "service/transport/loop.h"
#include "service/transport/timer_wheel.h"
#include "service/upstream/http_provider.h"
#include "service/upstream/http_request.h"
#include "service/upstream/responses/answer.h"
#include "service/upstream/responses/request.h"
#include "service/upstream/sse_call.h"

namespace tokenrelay::upstream {
namespace {

constexpr int max_tries = 5;
constexpr int64_t first_wait_ms = 200, max_outage_ms = 60'000;

// An id becomes part of a path.
bool is_plain_id(std::string_view id) {
  const auto plain = [](unsigned char c) { return std::isalnum(c) || c == '_' || c == '-'; };
  return !id.empty() && id.size() <= 256 && std::all_of(id.begin(), id.end(), plain);
}

class ResponsesCall final : public SseCall {
 public:
  using Shared = HttpShared;
  static constexpr std::string_view kind = "openai-responses";
  static tl::expected<HttpPrepared, UnsupportedField> prepare(const ModelRequest& request,
                                                              const ProviderOptions& options);
  static client::HttpRequest models_request(const ProviderOptions& options);

  ResponsesCall(std::shared_ptr<Shared> shared, const HttpPreparedPtr& request, CallHandler& handler)
      : ResponsesCall(std::move(shared), request->request_id, handler) {
    background_ = request->background;
    if (request->own && handler.wants_own()) answer_.own().begin(options());
    send(request->http);
  }
  ResponsesCall(std::shared_ptr<Shared> shared, std::string request_id, CallHandler& handler)
      : SseCall(shared->client, shared->options, handler),
        shared_(std::move(shared)),
        request_id_(std::move(request_id)),
        answer_(handler) {}
  ~ResponsesCall() override;

  void take_up(std::string_view id, bool own);  // resumes one that exists
  void keep_answer() override { id_.clear(); }
  void pause() override;
  void resume() override;

 private:
  client::HttpRequest http(client::HttpRequest::Method method, const std::string& path) const;
  void send(client::HttpRequest request);
  void ask_again();
  bool wait_for_next_try(std::optional<int64_t> asked_ms);
  bool ended(ResponsesAnswer::Taken taken, bool whole);
  bool learn_id();

  bool take_event(const SseEvent& event) override;
  bool take_document(std::string_view document, const client::TransferEnd& end) override;
  bool stopped() const override { return false; }  // the last event completes the call at once
  bool empty() const override { return answer_.empty(); }
  std::string_view left_out() const override { return answer_.other(); }
  bool explained(const Outcome&) const override { return answer_.is_incomplete(); }
  bool begun() const override { return answer_.begun(); }
  bool flush() override { return answer_.flush(); }
  Outcome outcome() const override { return answer_.outcome(); }
  const Usage& usage() const override { return answer_.usage(); }
  std::string_view response_id() const override { return answer_.id(); }
  bool refused(const client::HttpHead& head, std::string_view body) override;
  bool cut(const client::TransferEnd& end) override;

  const std::shared_ptr<Shared> shared_;
  const std::string request_id_;
  ResponsesAnswer answer_;
  bool background_ = false, paused_ = false;
  std::string id_;             // of an answer that can be resumed
  std::optional<Error> lost_;  // how the connection was lost; absent if it was not
  int tries_ = 0;
  int64_t lost_at_ms_ = 0;
  uint64_t taken_before_ = 0;
  transport::Timer next_try_{shared_->client->loop().timers(), [this] { ask_again(); }};
};

tl::expected<HttpPrepared, UnsupportedField> ResponsesCall::prepare(const ModelRequest& request,
                                                                    const ProviderOptions& options) {
  const OwnRequest* own = request.own_of(kind);
  auto translated = own ? responses_own_request(*own, request.model, options.background)
                        : responses_request(request, options.background);
  if (!translated) return tl::make_unexpected(std::move(translated.error()));
  HttpPrepared made;
  made.http.url = with_query(joined_url(options.base_url, "/responses"), own);
  made.http.headers = request_headers(request.request_id, options, {{"Authorization", bearer(options)}}, own);
  made.http.body = std::make_shared<const std::string>(std::move(translated->body));
  made.background = translated->background;
  return made;
}

void ResponsesCall::take_up(std::string_view id, bool own) {
  background_ = true;
  if (own) answer_.own().begin(options());
  id_ = id;
  send(http(client::HttpRequest::Method::get, "/responses/" + id_ + "?stream=true"));
}

ResponsesCall::~ResponsesCall() {
  if (id_.empty()) return;
  client::HttpRequest cancel = http(client::HttpRequest::Method::post, "/responses/" + id_ + "/cancel");
  client()->send_off(std::move(cancel));
}

client::HttpRequest ResponsesCall::http(client::HttpRequest::Method method, const std::string& path) const {
  client::HttpRequest request;
  request.url = joined_url(options().base_url, path);
  request.headers = request_headers(request_id_, options(), {{"Authorization", bearer(options())}}, nullptr, false);
  request.timeouts = options().timeouts;
  request.method = method;
  return request;
}

void ResponsesCall::send(client::HttpRequest request) {
  ask(std::move(request));
  if (paused_) SseCall::pause();
}

void ResponsesCall::pause() {
  paused_ = true;
  SseCall::pause();
}

void ResponsesCall::resume() {
  paused_ = false;
  SseCall::resume();
}

void ResponsesCall::ask_again() {
  std::string path = "/responses/" + id_ + "?stream=true";
  if (answer_.sequence()) path += "&starting_after=" + std::to_string(*answer_.sequence());
  send(http(client::HttpRequest::Method::get, path));
}

// False: no tries are left.
bool ResponsesCall::wait_for_next_try(std::optional<int64_t> asked_ms) {
  const int64_t now = client()->loop().clock().mono_us() / 1000;
  if (tries_ == 0) lost_at_ms_ = now;
  const int64_t wait = std::max(first_wait_ms << tries_, asked_ms.value_or(0));
  if (tries_ == max_tries || now - lost_at_ms_ + wait > max_outage_ms) return false;
  ++tries_;
  taken_before_ = answer_.taken();
  next_try_.arm(wait);
  return true;
}

bool ResponsesCall::cut(const client::TransferEnd& end) {
  const bool replayed_blindly = answer_.taken() > 0 && !answer_.sequence();
  if (id_.empty() || replayed_blindly) return false;
  if (answer_.taken() > taken_before_) tries_ = 0;
  if (tries_ == 0) lost_ = error_of_transfer(end, head().status);
  if (answer_.taken() > 0) answer_.taken_up(name_of(lost_->code));
  if (wait_for_next_try(std::nullopt)) return true;
  fail(*lost_);
  return true;
}

bool ResponsesCall::refused(const client::HttpHead& head, std::string_view body) {
  if (id_.empty() || next_try_.armed()) return !id_.empty();
  Error refusal = error_of_status(head, parse_error_body(body));
  if (!lost_) lost_ = Error{ErrorCode::upstream_truncated, "the connection was lost", true, std::nullopt, 0};
  const bool gone = head.status == 400 || head.status == 404 || head.status == 410;
  if (!gone && refusal.retryable && wait_for_next_try(head.retry_after_ms)) return true;
  if (gone) id_.clear();
  lost_->message += "; the response could not be resumed: " + refusal.message;
  fail(*lost_);
  return true;
}

// Once the id is known, the answer can be resumed. False: the call was destroyed.
bool ResponsesCall::learn_id() {
  if (!background_ || !id_.empty() || !is_plain_id(answer_.id())) return true;
  id_ = answer_.id();
  transport::Lifeline::Watch watch(line());
  handler().on_resumable(std::string(id_));
  return !watch.gone();
}

bool ResponsesCall::take_event(const SseEvent& event) {
  transport::Lifeline::Watch watch(line());
  if (event.data == "[DONE]") return true;  // another protocol's end: the body's end tells more
  const auto taken = answer_.take(event.data, event.name);
  if (watch.gone()) return false;
  if (taken == ResponsesAnswer::Taken::event) return learn_id();
  if (taken == ResponsesAnswer::Taken::not_json && event.unterminated) return true;
  if (taken != ResponsesAnswer::Taken::end) return ended(taken, true);
  id_.clear();
  complete(true);
  return false;
}

bool ResponsesCall::take_document(std::string_view document, const client::TransferEnd& end) {
  transport::Lifeline::Watch watch(line());
  answer_.own().end();
  const auto taken = answer_.take(document);
  if (watch.gone()) return false;
  if (taken == ResponsesAnswer::Taken::end) {
    id_.clear();
    return true;
  }
  return ended(taken, end.cause == client::TransferEnd::Cause::clean);
}

// Fails the call with the error that `taken` stands for. Always false.
bool ResponsesCall::ended(ResponsesAnswer::Taken taken, bool whole) {
  const int status = head().status;
  switch (taken) {
    case ResponsesAnswer::Taken::error:
      id_.clear();
      fail(error_in_stream(answer_.error(), status));
      break;
    case ResponsesAnswer::Taken::too_large:
      fail(protocol_error("a part of the upstream's response is too large", status));
      break;
    case ResponsesAnswer::Taken::not_json:
      fail(whole ? protocol_error("the upstream sent data that is not JSON", status)
                 : error_of_transfer({client::TransferEnd::Cause::cut, {}}, status));
      break;
    case ResponsesAnswer::Taken::event:
      fail(protocol_error("the upstream's response is not a Responses API object", status));
      break;
    case ResponsesAnswer::Taken::end:
    case ResponsesAnswer::Taken::gone:
      break;
  }
  return false;
}

client::HttpRequest ResponsesCall::models_request(const ProviderOptions& options) {
  client::HttpRequest http;
  http.method = client::HttpRequest::Method::get;
  http.url = joined_url(options.base_url, "/models");
  http.headers = request_headers({}, options, {{"Authorization", bearer(options)}}, nullptr, false);
  return http;
}

class ResponsesProvider final : public HttpProvider<ResponsesCall> {
 public:
  using HttpProvider::HttpProvider;

  std::unique_ptr<Call> take_up(std::string_view token, const std::string& request_id, CallHandler& handler) override {
    if (!is_plain_id(token)) return nullptr;
    auto call = std::make_unique<ResponsesCall>(shared_, request_id, handler);
    call->take_up(token, handler.wants_own());
    return call;
  }
};

}  // namespace

std::unique_ptr<Provider> make_openai_responses(std::shared_ptr<client::HttpClient> client, ProviderOptions options) {
  return std::make_unique<ResponsesProvider>(std::move(client), std::move(options));
}

}  // namespace tokenrelay::upstream
