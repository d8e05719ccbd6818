#include "service/upstream/http_exchange.h"

#include <new>

#include "service/transport/loop.h"
#include "service/upstream/http_head.h"

namespace tokenrelay::upstream {
namespace {

using Cause = TransferEnd::Cause;

constexpr long read_bytes = 4 << 10;  // libcurl keeps a buffer of this size for each transfer
constexpr int64_t drain_ms = 50;

bool safe_header(const std::string& line) {
  return line.find_first_of(std::string_view("\r\n\0", 3)) == line.npos && line.find(':') != line.npos;
}

Cause cause_of(CURLcode result, bool request_sent) {
  switch (result) {
    case CURLE_OK:
      return Cause::clean;
    case CURLE_OPERATION_TIMEDOUT:
      return Cause::connect_timeout;  // the only limit that libcurl itself was given
    case CURLE_UNSUPPORTED_PROTOCOL:  // it calls HTTP/0.9 so
    case CURLE_WEIRD_SERVER_REPLY:
      return request_sent ? Cause::not_http : Cause::unreachable;
    default:
      return request_sent ? Cause::cut : Cause::unreachable;
  }
}

}  // namespace

HttpExchange::HttpExchange(transport::Loop& loop, std::shared_ptr<CurlLoop> curl, HttpRequest request,
                           TransferHandler& handler)
    : loop_(loop),
      curl_(std::move(curl)),
      request_(std::move(request)),
      handler_(&handler),
      easy_(curl_easy_init()),
      timer_(loop.timers(), [this] { expired(); }) {
  if (!easy_) throw std::bad_alloc();
}

HttpExchange::~HttpExchange() {
  curl_slist_free_all(headers_);
}

void HttpExchange::start() {
  set_headers();
  set_options();
  curl_->add(easy_);
}

void HttpExchange::set_headers() {
  const auto append = [this](const char* line) {
    if (curl_slist* const longer = curl_slist_append(headers_, line)) headers_ = longer;
  };
  append("Accept-Encoding: identity");
  append("Expect:");  // no 100-continue: it costs a second where a server does not know it
  for (const std::string& line : request_.headers) {
    if (safe_header(line)) append(line.c_str());
  }
}

void HttpExchange::set_options() {
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(easy_, option, value); };
  set(CURLOPT_URL, request_.url.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_2TLS));
  if (request_.method == HttpRequest::Method::post) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, request_.body.data());
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body.size()));
  }
  set(CURLOPT_HTTPHEADER, headers_);
  set(CURLOPT_USERAGENT, "tokenrelay");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_BUFFERSIZE, read_bytes);
  set(CURLOPT_UPLOAD_BUFFERSIZE, read_bytes);
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request_.timeouts.connect_ms));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(CURLOPT_HEADERFUNCTION, &HttpExchange::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &HttpExchange::on_write);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_PREREQFUNCTION, &HttpExchange::on_request);
  set(CURLOPT_PREREQDATA, this);
}

int HttpExchange::on_request(void* self, char*, char*, int, int) {
  HttpExchange& exchange = *static_cast<HttpExchange*>(self);
  if (!exchange.handler_) return CURL_PREREQFUNC_ABORT;
  exchange.request_sent_ = true;
  exchange.expect(Cause::first_byte_timeout, exchange.request_.timeouts.first_byte_ms);
  return CURL_PREREQFUNC_OK;
}

size_t HttpExchange::on_header(char* bytes, size_t size, size_t count, void* self) {
  auto* const exchange = static_cast<HttpExchange*>(self);  // CurlLoop keeps it as long as libcurl may call
  const size_t length = size * count;
  if (exchange->draining_ || exchange->head_done_) return length;  // then they are trailers
  if (!exchange->handler_) return 0;
  if (!take_head_line(exchange->head_, {bytes, length}, exchange->loop_.clock().wall_ms())) return length;
  exchange->head_done_ = true;
  exchange->handler_->on_head(exchange->head_);
  return exchange->handler_ || exchange->draining_ ? length : 0;
}

// Answering fewer bytes than were given makes libcurl close the connection before it returns.
size_t HttpExchange::on_write(char* bytes, size_t size, size_t count, void* self) {
  auto* const exchange = static_cast<HttpExchange*>(self);
  const size_t length = size * count;
  if (exchange->draining_) return length;
  if (!exchange->handler_) return 0;
  if (exchange->paused_) {
    exchange->curl_paused_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  exchange->expect(Cause::idle_timeout, exchange->request_.timeouts.idle_ms);
  if (length > 0) exchange->handler_->on_body({bytes, length});
  return exchange->handler_ || exchange->draining_ ? length : 0;
}

void HttpExchange::completed(CURLcode result) {
  const Cause cause = cause_of(result, request_sent_);
  end(cause, cause == Cause::clean ? "" : curl_easy_strerror(result));
}

void HttpExchange::expect(Cause cause, int64_t within_ms) {
  late_ = cause;
  if (!paused_) timer_.arm(within_ms);
}

void HttpExchange::expired() {
  const auto alive = shared_from_this();
  if (draining_) return remove();
  end(late_, late_ == Cause::idle_timeout ? "no byte came for too long" : "the response did not begin in time");
}

void HttpExchange::end(Cause cause, std::string message) {
  const auto alive = shared_from_this();
  TransferHandler* const handler = std::exchange(handler_, nullptr);
  remove();
  if (handler) handler->on_end({cause, std::move(message)});
}

void HttpExchange::abandon() {
  handler_ = nullptr;
  draining_ = false;
  remove();
}

void HttpExchange::drain() {
  if (!easy_) return;
  if (curl_paused_ || !head_done_) return abandon();
  handler_ = nullptr;
  draining_ = true;
  timer_.arm(drain_ms);
}

void HttpExchange::remove() {
  timer_.cancel();
  if (CURL* const easy = std::exchange(easy_, nullptr)) {
    curl_->remove(easy, shared_from_this());
    if (on_removed) on_removed(easy);
  }
}

void HttpExchange::pause() {
  if (paused_) return;
  paused_ = true;
  timer_.cancel();
}

void HttpExchange::resume() {
  if (!paused_) return;
  paused_ = false;
  if (!easy_ || !handler_) return;
  if (request_sent_) {
    head_done_ ? expect(Cause::idle_timeout, request_.timeouts.idle_ms)
               : expect(Cause::first_byte_timeout, request_.timeouts.first_byte_ms);
  }
  if (std::exchange(curl_paused_, false)) curl_->unpause(easy_);
}

}  // namespace tokenrelay::upstream
