// ProxiedExchange: an exchange through a proxy that the environment names. libcurl does all of it: it supports every
// kind of proxy, for http:// and for https://.
#pragma once

#include <curl/curl.h>

#include "service/client/curl_loop.h"
#include "service/client/exchange.h"
#include "service/client/target.h"

namespace tokenrelay::client {

class ProxiedExchange final : public Exchange, private CurlOwner {
 public:
  ProxiedExchange(transport::Loop& loop, std::shared_ptr<CurlLoop> curl, Resolver& resolver,
                  const Proxies::Proxy& proxy, const Origin& target, HttpRequest request, TransferHandler& handler);
  ~ProxiedExchange() override;

  void start() override;

 private:
  static size_t on_header(char* bytes, size_t size, size_t count, void* self);
  static size_t on_write(char* bytes, size_t size, size_t count, void* self);
  static int on_request(void* self, char*, char*, int, int);

  void look_up_next();
  void found(const Addresses& addresses);
  void set_options();
  void set_headers();
  void completed(CURLcode result) override;
  void close() override;
  bool holds_back() const override { return held_; }
  void go_on() override;

  const std::shared_ptr<CurlLoop> curl_;
  const HttpRequest request_;
  CURL* easy_;          // null: removed
  bool added_ = false;  // to curl_
  const std::string proxy_url_;
  Resolver& resolver_;
  std::vector<std::pair<std::string, uint16_t>> unknown_;  // hosts whose addresses libcurl still needs, the next last
  CurlList addresses_;
  Resolver::Lookup lookup_;
  curl_slist* headers_ = nullptr;
  HttpHead head_;
  bool head_done_ = false;
  bool held_ = false;  // libcurl holds a piece back and has stopped reading
};

}  // namespace tokenrelay::client
