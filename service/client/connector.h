// Connector: makes one TCP connection. It looks up the name (Resolver), then libcurl tries every address in turn, IPv4
// and IPv6 in parallel (RFC 8305). The caller then owns the descriptor; libcurl keeps nothing of it. The time limit is
// the exchange's.
//
// Threads: the loop's. Ownership: destroying it gives up, without calling `done`. `done` is called once, never before
// the constructor has returned; it may destroy the connector.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "service/client/curl_loop.h"
#include "service/client/http_client.h"
#include "service/client/resolver.h"
#include "service/client/target.h"

namespace tokenrelay::client {

class Connector final : private CurlOwner {
 public:
  struct Result {
    int descriptor = -1;  // non-blocking, TCP_NODELAY, SO_KEEPALIVE; -1: see the cause
    TransferEnd::Cause cause = TransferEnd::Cause::clean;
    std::string message;
  };
  using Done = std::function<void(Result)>;

  Connector(std::shared_ptr<CurlLoop> curl, Resolver& resolver, const Origin& to, int64_t connect_ms, Done done);
  ~Connector();
  Connector(const Connector&) = delete;

 private:
  void connect();
  void found(const Origin& to, const Addresses& addresses);
  void completed(CURLcode result) override;
  int take_descriptor();

  const std::shared_ptr<CurlLoop> curl_;
  CURL* easy_;
  bool added_ = false;  // to curl_
  CurlList addresses_;
  Resolver::Lookup lookup_;
  Done done_;
};

}  // namespace tokenrelay::client
