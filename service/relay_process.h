// RelayProcess: the parts of a running relay, in the order of their dependencies, and their shutdown.
//
// Threads: the loop's; a reload reads its files on a worker. Start: the ports are bound, then the log is locked and
// recovered, then the ports listen: a start that cannot have its port has written nothing. End: drain, readers,
// connections, log.
#pragma once

#include <asio/signal_set.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "service/config/load.h"
#include "service/transport/tls_server.h"
#include "service/wiring.h"

namespace tokenrelay {

class RelayProcess {
 public:
  RelayProcess(Config config, std::function<ConfigResult()> reload, std::function<uint64_t()> dropped_log_lines);
  ~RelayProcess();

  int run();  // exit status

 private:
  bool open_log();
  bool open_tls();
  void bind_ports();
  void watch_signals();
  void on_signal(int signal);
  struct Reloaded;
  void begin_reload();
  void apply_reload(Reloaded& read);
  void reload_tls(Reloaded& read);
  void begin_drain();
  void finish_readers();
  void finish_connections();
  void sample(metrics::Metrics& metrics);
  void take_request(const http::RequestRecord& record);

  Config config_;
  std::function<ConfigResult()> reload_;
  std::function<uint64_t()> dropped_log_lines_;
  http::ServerOptions server_options_;
  http::ServerOptions admin_server_options_;
  api::Settings api_settings_;

  transport::Loop loop_;
  metrics::Metrics metrics_;
  std::shared_ptr<client::HttpClient> client_;
  relay::Shard shard_;
  api::Api api_;
  http::Router router_, admin_router_;
  std::optional<transport::TlsServer> tls_;                         // of listener_
  std::unique_ptr<transport::Listener> listener_, admin_listener_;  // used by connections: must outlive the servers
  std::unique_ptr<http::Server> server_, admin_server_;
  std::unique_ptr<asio::signal_set> signals_;
  transport::Timer readers_timer_, connections_timer_;
  int64_t end_deadline_ms_ = 0;
  bool has_log_ = false, reloading_ = false, reload_again_ = false;
  size_t most_connections_ = 0;
};

}  // namespace tokenrelay
