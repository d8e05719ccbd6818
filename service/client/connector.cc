#include "service/client/connector.h"

#include <fcntl.h>

#include <new>

namespace tokenrelay::client {

Connector::Connector(std::shared_ptr<CurlLoop> curl, Resolver& resolver, const Origin& to, int64_t connect_ms,
                     Done done)
    : curl_(std::move(curl)), easy_(curl_easy_init()), done_(std::move(done)) {
  if (!easy_) throw std::bad_alloc();
  const auto set = [this](CURLoption option, auto value) { curl_easy_setopt(easy_, option, value); };
  set(CURLOPT_URL, to.connect_url.c_str());
  set(CURLOPT_CONNECT_ONLY, 1L);
  set(CURLOPT_PROXY, "");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_TCP_NODELAY, 1L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_BUFFERSIZE, 1024L);  // nothing is read here
  set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(connect_ms));
  if (needs_no_lookup(to.host)) {
    connect();
  } else {
    lookup_ = resolver.find(to.host, [this, to](const Addresses& addresses) { found(to, addresses); });
  }
}

Connector::~Connector() {
  if (added_) {
    curl_->remove(easy_, addresses_);
  } else if (easy_) {
    curl_easy_cleanup(easy_);
  }
}

void Connector::connect() {
  added_ = true;
  curl_->add(easy_, *this);
}

void Connector::found(const Origin& to, const Addresses& addresses) {
  lookup_.reset();
  if (addresses.found.empty()) {
    const Done done = std::move(done_);
    return done({-1, TransferEnd::Cause::unreachable, "cannot look up " + to.host + ": " + addresses.fault});
  }
  addresses_ = resolve_option(to.host, to.port, addresses);
  curl_easy_setopt(easy_, CURLOPT_RESOLVE, addresses_.get());
  connect();
}

// Takes a duplicate, because libcurl closes its own descriptor with the handle. That one must leave the Poller first:
// epoll would report it for as long as the duplicate is open.
int Connector::take_descriptor() {
  curl_socket_t socket = CURL_SOCKET_BAD;
  if (curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &socket) != CURLE_OK || socket == CURL_SOCKET_BAD) return -1;
  curl_->forget(socket);
  return fcntl(socket, F_DUPFD_CLOEXEC, 0);
}

void Connector::completed(CURLcode result) {
  Result out;
  if (result == CURLE_OK) out.descriptor = take_descriptor();
  if (out.descriptor < 0) {
    out.cause =
        result == CURLE_OPERATION_TIMEDOUT ? TransferEnd::Cause::connect_timeout : TransferEnd::Cause::unreachable;
    out.message = curl_easy_strerror(result == CURLE_OK ? CURLE_COULDNT_CONNECT : result);
  }
  added_ = false;
  curl_->remove(std::exchange(easy_, nullptr), nullptr);
  const Done done = std::move(done_);
  done(std::move(out));
}

}  // namespace tokenrelay::client
