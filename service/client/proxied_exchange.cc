#include "service/client/proxied_exchange.h"

#include <new>
#include <utility>

#include "service/client/http_head.h"
#include "service/client/request_head.h"
#include "service/transport/loop.h"

namespace tokenrelay::client {
namespace {

using Cause = TransferEnd::Cause;

constexpr long read_bytes = 4 << 10;  // libcurl keeps a buffer of this size for each transfer

Cause cause_of(CURLcode result, bool request_sent) {
  switch (result) {
    case CURLE_OK:
      return Cause::clean;
    case CURLE_OPERATION_TIMEDOUT:
      return Cause::connect_timeout;  // the only time limit that libcurl was given
    case CURLE_UNSUPPORTED_PROTOCOL:  // libcurl's code for HTTP/0.9
    case CURLE_WEIRD_SERVER_REPLY:
      return request_sent ? Cause::not_http : Cause::unreachable;
    default:
      return request_sent ? Cause::cut : Cause::unreachable;
  }
}

}  // namespace

ProxiedExchange::ProxiedExchange(transport::Loop& loop, std::shared_ptr<CurlLoop> curl, Resolver& resolver,
                                 const Proxies::Proxy& proxy, const Origin& target, HttpRequest request,
                                 TransferHandler& handler)
    : Exchange(loop, request.timeouts, handler),
      curl_(std::move(curl)),
      request_(std::move(request)),
      easy_(curl_easy_init()),
      proxy_url_(proxy.url),
      resolver_(resolver) {
  if (!easy_) throw std::bad_alloc();
  if (!needs_no_lookup(proxy.host)) unknown_.emplace_back(proxy.host, proxy.port);
  if (!proxy.looks_up && !needs_no_lookup(target.host)) unknown_.emplace_back(target.host, target.port);
}

ProxiedExchange::~ProxiedExchange() {
  curl_slist_free_all(headers_);
}

void ProxiedExchange::start() {
  connecting();
  set_headers();
  set_options();
  look_up_next();
}

void ProxiedExchange::look_up_next() {
  if (!unknown_.empty()) {
    lookup_ = resolver_.find(unknown_.back().first, [this](const Addresses& addresses) { found(addresses); });
    return;
  }
  curl_easy_setopt(easy_, CURLOPT_RESOLVE, addresses_.get());
  added_ = true;
  curl_->add(easy_, *this);
}

void ProxiedExchange::found(const Addresses& addresses) {
  const auto [host, port] = std::move(unknown_.back());
  unknown_.pop_back();
  if (addresses.found.empty()) return end(Cause::unreachable, "cannot look up " + host + ": " + addresses.fault);
  addresses_ = resolve_option(host, port, addresses, addresses_);
  look_up_next();
}

void ProxiedExchange::set_headers() {
  const auto append = [this](const char* line) {
    if (curl_slist* const longer = curl_slist_append(headers_, line)) headers_ = longer;
  };
  append("Accept-Encoding: identity");
  append("Expect:");  // no 100-continue: it costs a second if the server does not support it
  for (const std::string& line : request_.headers) {
    if (is_safe_header(line)) append(line.c_str());
  }
}

void ProxiedExchange::set_options() {
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(easy_, option, value); };
  set(CURLOPT_URL, request_.url.c_str());
  // Decided once, by Proxies: were libcurl to read the environment again and differ, it would look up names itself.
  set(CURLOPT_PROXY, proxy_url_.c_str());
  set(CURLOPT_NOPROXY, "");
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  if (request_.method == HttpRequest::Method::post) {
    set(CURLOPT_POST, 1L);
    set(CURLOPT_POSTFIELDS, request_.body ? request_.body->data() : "");
    set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request_.body ? request_.body->size() : 0));
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
  set(CURLOPT_HEADERFUNCTION, &ProxiedExchange::on_header);
  set(CURLOPT_HEADERDATA, this);
  set(CURLOPT_WRITEFUNCTION, &ProxiedExchange::on_write);
  set(CURLOPT_WRITEDATA, this);
  set(CURLOPT_PREREQFUNCTION, &ProxiedExchange::on_request);
  set(CURLOPT_PREREQDATA, this);
}

int ProxiedExchange::on_request(void* self, char*, char*, int, int) {
  ProxiedExchange& exchange = *static_cast<ProxiedExchange*>(self);
  if (exchange.over()) return CURL_PREREQFUNC_ABORT;
  exchange.asked();
  return CURL_PREREQFUNC_OK;
}

size_t ProxiedExchange::on_header(char* bytes, size_t size, size_t count, void* self) {
  auto* const exchange = static_cast<ProxiedExchange*>(self);  // CurlLoop keeps it alive as long as libcurl may call
  const size_t length = size * count;
  if (exchange->over()) return 0;
  if (exchange->head_done_) return length;  // a trailer
  if (!take_head_line(exchange->head_, {bytes, length}, exchange->loop_.clock().wall_ms())) return length;
  exchange->head_done_ = true;
  exchange->say_head(exchange->head_);
  return exchange->over() ? 0 : length;
}

// If this returns fewer bytes than it was given, libcurl closes the connection before it returns.
size_t ProxiedExchange::on_write(char* bytes, size_t size, size_t count, void* self) {
  auto* const exchange = static_cast<ProxiedExchange*>(self);
  const size_t length = size * count;
  if (exchange->over()) return 0;
  if (exchange->paused()) {
    exchange->held_ = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (length > 0) exchange->say_body({bytes, length});
  return exchange->over() ? 0 : length;
}

void ProxiedExchange::completed(CURLcode result) {
  const Cause cause = cause_of(result, was_asked());
  end(cause, cause == Cause::clean ? "" : curl_easy_strerror(result));
}

void ProxiedExchange::close() {
  lookup_.reset();
  if (!added_) return curl_easy_cleanup(std::exchange(easy_, nullptr));
  curl_->remove(std::exchange(easy_, nullptr), shared_from_this());
}

void ProxiedExchange::go_on() {
  if (std::exchange(held_, false)) curl_->unpause(easy_);
}

}  // namespace tokenrelay::client
