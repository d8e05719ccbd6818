// RelayServer: the relay under test, from exec to its first line, with a log of its own.
#pragma once

#include "tests/bench/served.h"

namespace tokenrelay::bench {

class RelayServer final : public Served {
 public:
  // Started and listening, else throws. `tls`: on its own port. It trusts the upstream's certificate by SSL_CERT_FILE.
  RelayServer(const Setting& setting, Endpoint upstream, bool tls = false);
  Endpoint at() const override { return {port_, tls_}; }
  pid_t pid() const override { return process_->pid(); }
  void restart();                                // SIGTERM, wait, and again on the same log; another port
  double start_ms() const { return start_ms_; }  // from exec to the first line (which follows recovery), to 1 ms

 private:
  void start();
  const Setting setting_;
  const std::string upstream_;
  const bool tls_;
  const FreshDirectory directory_;
  std::unique_ptr<support::Process> process_;
  uint16_t port_ = 0;
  double start_ms_ = 0;
};

}  // namespace tokenrelay::bench
