// NginxServer: Debian's nginx in one process, as a proxy that buffers and stores nothing, or with nchan as a channel
// that is published to and subscribed.
#pragma once

#include "tests/bench/served.h"

namespace tokenrelay::bench {

class NginxServer final : public Served {
 public:
  // A proxy of the upstream (proxy_ssl with the certificate verified, if that is TLS), `tls`: on its own port as well.
  NginxServer(const Setting& setting, Endpoint upstream, bool tls = false);
  // /pub and /sub of one channel.
  struct Nchan {};
  NginxServer(const Setting& setting, Nchan);

  static bool installed();
  static bool has_nchan();
  Endpoint at() const override { return {port_, tls_}; }
  pid_t pid() const override { return process_->pid(); }

 private:
  void start(const Setting& setting, const std::string& before, const std::string& http);  // throws if it does not
  const FreshDirectory directory_;
  const uint16_t port_;
  const bool tls_;
  std::unique_ptr<support::Process> process_;
};

}  // namespace tokenrelay::bench
