#include "service/relay_process.h"

#include <spdlog/spdlog.h>
#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <asio/io_context.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <system_error>

#include "service/client/tls.h"
#include "service/log_lines.h"
#include "service/relay/continuation.h"
#include "service/relay/ids.h"
#include "service/surface/routes.h"

namespace tokenrelay {
namespace {

constexpr int64_t readers_end_ms = 3'000;       // for readers to take what is due, once nothing runs
constexpr int64_t connections_end_ms = 1'000;   // for connections to take the last answers
constexpr size_t turned_away = 128;             // connections over the limit that are told to come back
constexpr uint64_t reserved_descriptors = 256;  // upstreams, the log, files

void draw_random(void* into, size_t bytes) {
  auto* out = static_cast<char*>(into);
  while (bytes > 0) {
    const auto got = getrandom(out, bytes, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw std::system_error(errno, std::generic_category(), "getrandom");
    out += got;
    bytes -= static_cast<size_t>(got);
  }
}

// Raises the soft descriptor limit to the hard one; returns how many clients may have.
size_t connection_limit(const Config& config) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  getrlimit(RLIMIT_NOFILE, &limit);
  const uint64_t most =
      limit.rlim_cur > 2 * reserved_descriptors ? limit.rlim_cur - reserved_descriptors : limit.rlim_cur / 2;
  return config.limits.connections == 0 ? most : std::min<uint64_t>(config.limits.connections, most);
}

std::string url_of(const transport::Listener& listener, bool tls = false) {
  const bool v6 = listener.host().find(':') != std::string::npos;  // RFC 3986 3.2.2
  const std::string host = v6 ? "[" + listener.host() + "]" : listener.host();
  return (tls ? "https://" : "http://") + host + ":" + std::to_string(listener.port());
}

void warn_of_open_key(const std::string& file) {
  spdlog::warn("tls.key: every user of this machine can read \"{}\": give it the mode 0600, or 0640 with a group",
               file);
}

bool calls_tls(const Config& config) {
  return std::any_of(config.upstreams.begin(), config.upstreams.end(),
                     [](const auto& upstream) { return upstream.base_url.rfind("https:", 0) == 0; });
}

metrics::LogState metric_of(storage::LogState state) {
  if (state == storage::LogState::healthy) return metrics::LogState::healthy;
  return state == storage::LogState::stalled ? metrics::LogState::stalled : metrics::LogState::failed;
}

}  // namespace

RelayProcess::RelayProcess(Config config, std::function<ConfigResult()> reload,
                           std::function<uint64_t()> dropped_log_lines)
    : config_(std::move(config)),
      reload_(std::move(reload)),
      dropped_log_lines_(std::move(dropped_log_lines)),
      metrics_(TOKENRELAY_VERSION),
      client_(client::make_http_client(loop_)),
      shard_(loop_, metrics_, draw_random, relay_options(config_), model_table(config_, loop_, client_)),
      api_{shard_,
           metrics_,
           loop_,
           draw_random,
           [this]() -> const api::Settings& { return api_settings_; },
           [this] { return listener_ && listener_->open_connections() > most_connections_; },
           api::WholeReads(loop_, [this] { return api_settings_.whole_read_bytes; }),
           api::Readers(loop_)},
      readers_timer_(loop_.timers(), [this] { finish_readers(); }),
      connections_timer_(loop_.timers(), [this] { finish_connections(); }) {
  metrics_.set_known_models(shard_.models().names());
  metrics_.on_scrape([this](metrics::Metrics& metrics) { sample(metrics); });
  loop_.on_turn([this](const transport::Turn& turn) { metrics_.loop_turn(turn.wall_ns, turn.cpu_ns); });
}

// What the worker does refers to requests, which go with their connections.
RelayProcess::~RelayProcess() {
  shard_.worker().stop();
}

int RelayProcess::run() {
  if (!open_tls()) return 2;
  if (calls_tls(config_)) client_->trust(std::make_unique<client::TlsClient>());
  try {
    bind_ports();
    if (!open_log()) return 1;
    if (admin_listener_) admin_listener_->start();
    listener_->start();
  } catch (const std::system_error& error) {
    spdlog::error("cannot start: {}", error.what());
    if (has_log_) shard_.log().close();
    return 1;
  }
  watch_signals();
  std::printf("tokenrelay listening on %s\n", url_of(*listener_, tls_.has_value()).c_str());
  std::fflush(stdout);
  if (admin_listener_) spdlog::info("metrics and health on {}", url_of(*admin_listener_));
  loop_.run();
  api_.readers.clear();  // while the metrics that they update still exist
  shard_.log().close();
  if (reloading_) {  // its thread may wait for a file that hangs, and nothing is left to lose
    spdlog::default_logger()->flush();
    std::_Exit(0);
  }
  return 0;
}

bool RelayProcess::open_tls() {
  if (!config_.tls.on()) return true;
  auto opened = transport::TlsServer::open({config_.tls.certificate, config_.tls.key});
  if (!opened) {
    const bool key = opened.error().file == transport::TlsFault::File::key;
    spdlog::error("cannot start TLS: \"{}\" {}", key ? config_.tls.key : config_.tls.certificate, opened.error().what);
    return false;
  }
  tls_.emplace(std::move(*opened));
  if (transport::readable_by_all(config_.tls.key)) warn_of_open_key(config_.tls.key);
  return true;
}

bool RelayProcess::open_log() {
  auto options = log_options(config_);
  options.post = [this](std::function<void()> call) { loop_.post(std::move(call)); };
  options.wall_ms = [this] { return loop_.clock().wall_ms(); };
  options.random = draw_random;
  options.recover = [this](const storage::StreamRow& row) {
    return relay::decide(row, shard_.models(), loop_.clock().wall_ms());
  };
  std::vector<storage::StreamRow> going_on;
  options.continued = [&going_on](storage::StreamRow row) { going_on.push_back(std::move(row)); };
  options.on_commit = [this](const storage::CommitFigures& f) {
    metrics_.commit(f.seconds, f.waited_seconds, f.events, f.bytes);
  };
  options.report = [](int level, const std::string& message) {
    if (level == 0) spdlog::info("log: {}", message);
    if (level == 1) spdlog::warn("log: {}", message);
    if (level == 2) spdlog::error("log: {}", message);
  };
  auto log = storage::open_sqlite_log(std::move(options), shard_);
  if (!log) {
    spdlog::error("cannot open the event log in {}: {}", config_.data, log.error().message);
    return false;
  }
  shard_.use(std::move(*log));
  has_log_ = true;
  for (auto& row : going_on) shard_.go_on(std::move(row));
  if (!going_on.empty()) spdlog::info("{} unfinished streams continue", going_on.size());
  return true;
}

void RelayProcess::bind_ports() {
  most_connections_ = connection_limit(config_);
  const size_t with_turned_away = most_connections_ + std::min<size_t>(turned_away, most_connections_ / 4);
  api::add_stream_routes(router_, api_);
  surface::add_surface_routes(router_, api_);
  api::add_operation_routes(config_.admin_listen.empty() ? router_ : admin_router_, api_);
  api::add_page_routes(router_);
  const auto options = [this]() -> const http::ServerOptions& { return server_options_; };
  const auto admin_options = [this]() -> const http::ServerOptions& { return admin_server_options_; };
  const auto log = [this](const http::RequestRecord& record) { take_request(record); };
  const auto draw_id = [] { return relay::draw_request_id(draw_random); };
  server_ = std::make_unique<http::Server>(loop_, router_, options, log, draw_id);
  listener_ =
      std::make_unique<transport::Listener>(loop_, config_.listen, with_turned_away, [this](transport::Socket socket) {
        metrics_.connection_accepted();
        if (tls_) tls_->secure(socket);
        server_->serve(std::move(socket), listener_->loopback(), [this] { listener_->closed(); });
      });
  const auto refused = [this](std::string_view reason) { metrics_.connection_refused(reason); };
  listener_->when_refused(refused);
  if (tls_) tls_->when_refused(refused);
  server_options_ = server_options(config_, true, metrics_);
  admin_server_options_ = server_options(config_, false, metrics_);
  api_settings_ = api_settings(config_, !listener_->loopback());
  if (!config_.admin_listen.empty()) {
    admin_server_ = std::make_unique<http::Server>(loop_, admin_router_, admin_options, log, draw_id);
    admin_listener_ =
        std::make_unique<transport::Listener>(loop_, config_.admin_listen, 64, [this](transport::Socket socket) {
          admin_server_->serve(std::move(socket), admin_listener_->loopback(), [this] { admin_listener_->closed(); });
        });
  }
}

void RelayProcess::take_request(const http::RequestRecord& record) {
  metrics_.http_request(record.route, record.method, record.status, static_cast<double>(record.duration_us) / 1e6);
  log_request(record, config_.log.format == "json");
}

void RelayProcess::sample(metrics::Metrics& metrics) {
  metrics.set_connections(static_cast<double>(listener_ ? listener_->open_connections() : 0));
  metrics.set_streams(static_cast<double>(shard_.live()), static_cast<double>(shard_.queued()));
  metrics.set_whole_reads(api_.whole_reads.held_bytes(), api_.whole_reads.refused());
  const auto status = shard_.log().status();
  metrics.set_ready(!shard_.draining() && status.state == storage::LogState::healthy && status.stalled_ms == 0);
  const auto figures = shard_.log().figures();
  metrics::LogSample log;
  log.state = metric_of(status.state);
  log.stalled_seconds = static_cast<double>(status.stalled_ms) / 1000;
  log.uncommitted_bytes = status.uncommitted_bytes;
  log.journal_bytes = figures.journal_bytes;
  log.wal_bytes = figures.wal_bytes;
  log.database_bytes = figures.database_bytes;
  log.corrupt_rows = figures.corrupt_rows;
  log.syncs_failed = figures.syncs_failed;
  log.segments_written = figures.segments_written;
  log.checkpoints = figures.checkpoints;
  metrics.set_log(log);
  metrics.set_log_lines_dropped(dropped_log_lines_());
}

// ---- signals

void RelayProcess::watch_signals() {
  signals_ = std::make_unique<asio::signal_set>(loop_.context(), SIGTERM, SIGINT, SIGHUP);
  signals_->async_wait([this](std::error_code error, int signal) {
    if (error) return;
    watch_signals();
    on_signal(signal);
  });
}

void RelayProcess::on_signal(int signal) {
  if (signal == SIGHUP) return begin_reload();
  if (shard_.draining()) {
    spdlog::warn("second signal: exiting at once");
    spdlog::default_logger()->flush();  // waits only briefly
    std::_Exit(1);
  }
  begin_drain();
}

// Read on a worker: a file may lie on a disk that hangs, and certificates and authorities take tens of milliseconds.
struct RelayProcess::Reloaded {
  explicit Reloaded(bool has_authorities) : authorities_wanted(!has_authorities) {}

  void read(const std::function<ConfigResult()>& load) {
    config.emplace(load());
    if (!*config) return;
    const auto& next = **config;
    if (next.tls.on()) {
      tls.emplace(transport::TlsServer::open({next.tls.certificate, next.tls.key}));
      key_is_open = transport::readable_by_all(next.tls.key);
    }
    if (authorities_wanted && calls_tls(next)) authorities = std::make_unique<client::TlsClient>();
  }

  const bool authorities_wanted;
  std::optional<ConfigResult> config;
  std::optional<tl::expected<transport::TlsServer, transport::TlsFault>> tls;
  bool key_is_open = false;
  std::unique_ptr<client::TlsClient> authorities;
};

void RelayProcess::begin_reload() {
  if (std::exchange(reloading_, true)) return static_cast<void>(reload_again_ = true);
  const auto read = std::make_shared<Reloaded>(client_->trusts_authorities());
  const auto load = [read, reload = reload_] { read->read(reload); };
  shard_.worker().run(load, [this, read] {
    apply_reload(*read);
    reloading_ = false;
    if (std::exchange(reload_again_, false)) begin_reload();
  });
}

void RelayProcess::apply_reload(Reloaded& read) {
  auto& loaded = *read.config;
  if (!loaded) return spdlog::error("reload failed, the old configuration stays in use: {}", loaded.error().message);
  for (const std::string& key : keep_until_restart(config_, *loaded)) {
    spdlog::warn("{} has changed: restart the relay to apply it", key);
  }
  reload_tls(read);
  if (read.authorities) client_->trust(std::move(read.authorities));
  config_ = std::move(*loaded);
  shard_.reload(relay_options(config_), model_table(config_, loop_, client_));
  metrics_.set_known_models(shard_.models().names());
  server_options_ = server_options(config_, true, metrics_);
  admin_server_options_ = server_options(config_, false, metrics_);
  api_settings_ = api_settings(config_, !listener_->loopback());
  spdlog::set_level(spdlog::level::from_str(config_.log.level));
  spdlog::info("configuration reloaded");
}

void RelayProcess::reload_tls(Reloaded& read) {
  Config& next = **read.config;
  if (next.tls.on() != tls_.has_value()) {
    spdlog::warn("tls has been turned {}: restart the relay to apply it", next.tls.on() ? "on" : "off");
    next.tls = config_.tls;
    return;
  }
  if (!tls_) return;
  if (*read.tls) {
    if (read.key_is_open) warn_of_open_key(next.tls.key);
    return tls_->change_to(**read.tls);
  }
  const auto& fault = read.tls->error();
  const bool key = fault.file == transport::TlsFault::File::key;
  spdlog::error("the old certificate stays in use: \"{}\" {}", key ? next.tls.key : next.tls.certificate, fault.what);
}

// ---- shutdown: generations, then readers, then connections

void RelayProcess::begin_drain() {
  spdlog::info("draining: {} live streams, at most {} ms", shard_.live(), config_.drain_timeout_ms);
  shard_.drain(config_.drain_timeout_ms, [this] {
    api_.readers.close();
    end_deadline_ms_ = api_.shard.context().now_ms() + readers_end_ms;
    finish_readers();
  });
}

void RelayProcess::finish_readers() {
  if (api_.readers.waiting() > 0 && shard_.context().now_ms() < end_deadline_ms_) return readers_timer_.arm(10);
  api_.readers.leave_all();
  listener_->stop();
  if (admin_listener_) admin_listener_->stop();
  server_->drain();
  if (admin_server_) admin_server_->drain();
  end_deadline_ms_ = shard_.context().now_ms() + connections_end_ms;
  finish_connections();
}

void RelayProcess::finish_connections() {
  const size_t open = server_->connections() + (admin_server_ ? admin_server_->connections() : 0);
  if (open > 0 && shard_.context().now_ms() < end_deadline_ms_) {
    return connections_timer_.arm(10);
  }
  spdlog::info("drained");
  loop_.stop();
}

}  // namespace tokenrelay
