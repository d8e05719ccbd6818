#include "tests/bench/relay_server.h"

#include <signal.h>

#include <stdexcept>

#include "tests/support/fleet_delta.h"
#include "tests/support/temp_dir.h"

namespace tokenrelay::bench {

using namespace std::chrono_literals;

RelayServer::RelayServer(const Setting& setting, Endpoint upstream, bool tls)
    : setting_(setting),
      upstream_(std::string("openai=http") + (upstream.tls ? "s" : "") +
                "://127.0.0.1:" + std::to_string(upstream.port) + "/v1"),
      tls_(tls),
      directory_(setting.directory) {
  write_certificate(directory_);
  start();
}

void RelayServer::start() {
  const auto out = directory_ / "stdout", err = directory_ / "stderr", shown = directory_ / "certificate.pem";
  std::filesystem::remove(out);
  auto env = setting_.env;
  env.try_emplace("TOKENRELAY_STORAGE_SYNC", setting_.sync);
  env.try_emplace("TOKENRELAY_LOG_LEVEL", "warning");
  env.try_emplace("SSL_CERT_FILE", shown);
  if (tls_) {
    env.try_emplace("TOKENRELAY_TLS_CERTIFICATE", shown);
    env.try_emplace("TOKENRELAY_TLS_KEY", directory_ / "key.pem");
  }
  const int64_t began = support::monotonic_us();
  process_ = start_on_server_core(setting_, {.argv = {setting_.binary, "serve", "--listen", "127.0.0.1:0", "--data",
                                                      directory_ / "data", "--upstream", upstream_},
                                             .env = env,
                                             .stdout_file = out,
                                             .stderr_file = err,
                                             .work_dir = directory_});
  port_ = announced_port(*process_, out, err,
                         std::string("tokenrelay listening on http") + (tls_ ? "s" : "") + "://127.0.0.1:");
  start_ms_ = static_cast<double>(support::monotonic_us() - began) / 1000;
}

void RelayServer::restart() {
  process_->signal(SIGTERM);
  if (process_->wait(60s) != 0)
    throw std::runtime_error("the relay did not stop: " + support::read_text(directory_ / "stderr"));
  start();
}

}  // namespace tokenrelay::bench
