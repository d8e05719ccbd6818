#include "service/wiring.h"

#include <algorithm>
#include <cstdlib>

#include "service/config/on_disconnect.h"
#include "service/surface/error.h"

namespace tokenrelay {
namespace {

constexpr const char* demo_model = "demo";

std::string key_from_environment(const std::string& variable) {
  const char* value = variable.empty() ? nullptr : std::getenv(variable.c_str());
  return value ? value : "";
}

std::unique_ptr<upstream::Provider> make_provider(const std::string& kind, upstream::ProviderOptions options,
                                                  transport::Loop& loop,
                                                  const std::shared_ptr<client::HttpClient>& client) {
  if (kind == demo_model) return upstream::make_demo(loop, options);
  if (kind == "openai-responses") return upstream::make_openai_responses(client, std::move(options));
  if (kind == "anthropic") return upstream::make_anthropic(client, std::move(options));
  if (kind == "gemini") return upstream::make_gemini(client, std::move(options));
  return upstream::make_openai_chat(client, std::move(options));
}

std::shared_ptr<relay::Upstream> make_upstream(const UpstreamConfig& config, const Config& all, transport::Loop& loop,
                                               const std::shared_ptr<client::HttpClient>& client) {
  upstream::ProviderOptions options;
  options.base_url = config.base_url;
  options.api_key = key_from_environment(config.api_key_env);
  options.headers = config.headers;
  options.timeouts.connect_ms = config.connect_ms;
  options.timeouts.first_byte_ms = config.first_byte_ms;
  options.timeouts.idle_ms = config.idle_ms;
  options.max_event_bytes = all.limits.upstream_event_bytes;
  options.background = config.background;
  auto provider = make_provider(config.kind, std::move(options), loop, client);
  auto made = std::make_shared<relay::Upstream>(config.name, std::move(provider), config.models, config.max_concurrent);
  for (const auto& [name, model] : config.fallbacks) made->fallbacks.push_back({name, model});
  made->only_fallback = config.only_fallback;
  made->pass_headers = config.pass_headers;
  return made;
}

// The text was checked when the configuration was loaded.
relay::OnDisconnect policy_of(const std::string& text) {
  using From = OnDisconnectConfig::Action;
  using To = relay::OnDisconnect::Action;
  const auto read = parse_on_disconnect(text).value_or(OnDisconnectConfig{});
  if (read.action == From::cancel) return {To::cancel, 0};
  return {read.action == From::cancel_after ? To::cancel_after : To::keep_going, read.after_ms};
}

}  // namespace

std::shared_ptr<const relay::Options> relay_options(const Config& config) {
  auto out = std::make_shared<relay::Options>();
  const auto& limits = config.limits;
  out->live_streams = limits.live_streams;
  out->queued_streams = limits.queued_streams;
  out->queue_ms = limits.queue_ms;
  out->event_bytes = limits.event_bytes;
  out->stream_bytes = limits.stream_bytes;
  out->stream_ms = limits.stream_ms;
  out->upstream_retries = limits.upstream_retries;
  out->upstream_retry_ms = limits.upstream_retry_ms;
  out->uncommitted_stream_bytes = limits.uncommitted_stream_bytes;
  out->uncommitted_bytes = limits.uncommitted_bytes;
  out->memory_bytes = limits.memory_bytes == 0 ? relay::default_memory_bytes() : limits.memory_bytes;
  out->prompt_bytes = limits.prompt_bytes;
  out->commit_lag_ms = limits.commit_lag_ms;
  out->log_stall_ms = limits.log_stall_ms;
  out->steer_bytes = limits.steer_bytes;
  out->steers = limits.steers;
  out->retention_ms = config.storage.retention_ms;
  out->retention_bytes = config.storage.retention_bytes;
  out->retention_reader_grace_ms = config.storage.retention_reader_grace_ms;
  return out;
}

http::ServerOptions server_options(const Config& config, bool check_host, metrics::Metrics& metrics) {
  http::ServerOptions out;
  const auto& limits = config.limits;
  out.head_bytes = limits.head_bytes;
  out.line_bytes = limits.line_bytes;
  out.path_bytes = limits.path_bytes;
  out.headers = limits.headers;
  out.head_ms = limits.head_ms;
  out.body_bytes = limits.body_bytes;
  out.body_ms = limits.body_ms;
  out.keep_alive_ms = limits.keep_alive_ms;
  out.write_stall_ms = limits.write_stall_ms;
  out.cors_origins = config.cors_origins;
  out.trusted_proxies = config.trusted_proxies;
  out.hosts = config.hosts;
  out.public_origins = config.public_origins;
  out.any_host_paths = {"/healthz", "/readyz"};
  out.check_host = check_host;
  out.add_headers = surface::add_headers;
  out.shape_error = surface::shape_error;
  out.refused = [&metrics](std::string_view reason) { metrics.connection_refused(reason); };
  return out;
}

api::Settings api_settings(const Config& config, bool beyond_loopback) {
  api::Settings out;
  out.json = {static_cast<int>(config.limits.json_depth), config.limits.json_values};
  out.heartbeat_ms = config.limits.heartbeat_ms;
  out.write_stall_ms = config.limits.write_stall_ms;
  out.whole_read_bytes = config.limits.whole_read_bytes;
  out.log_prompts = config.log.prompts;
  const auto& surfaces = config.surfaces;
  out.chat_on_disconnect = policy_of(surfaces.chat_on_disconnect);
  out.messages_on_disconnect = policy_of(surfaces.messages_on_disconnect);
  out.gemini_on_disconnect = policy_of(surfaces.gemini_on_disconnect);
  out.responses_on_disconnect = policy_of(surfaces.responses_on_disconnect);
  out.ui_on_disconnect = policy_of(surfaces.ui_on_disconnect);
  out.list_allowed = !beyond_loopback || config.list;
  return out;
}

storage::SqliteLogOptions log_options(const Config& config) {
  storage::SqliteLogOptions out;
  const auto& storage = config.storage;
  out.directory = config.data;
  out.sync = storage.sync == "normal" ? storage::SyncLevel::normal : storage::SyncLevel::full;
  out.commit_interval_us = storage.commit_interval_us;
  out.journal_flush_bytes = storage.journal_flush_bytes;
  out.journal_flush_ms = storage.journal_flush_ms;
  out.wal_restart_bytes = storage.wal_restart_bytes;
  out.keep_requests = storage.keep_requests;
  return out;
}

std::shared_ptr<const relay::ModelTable> model_table(const Config& config, transport::Loop& loop,
                                                     const std::shared_ptr<client::HttpClient>& client) {
  std::vector<std::shared_ptr<relay::Upstream>> upstreams;
  for (const auto& one : config.upstreams) upstreams.push_back(make_upstream(one, config, loop, client));
  std::string default_model = config.default_model;
  if (upstreams.empty()) {
    UpstreamConfig demo;
    demo.name = demo.kind = demo_model;
    demo.models = {demo_model};
    upstreams.push_back(make_upstream(demo, config, loop, client));
  }
  const auto by_itself = [](const auto& u) { return !u.only_fallback; };
  const auto first = std::find_if(config.upstreams.begin(), config.upstreams.end(), by_itself);
  const bool alone = std::count_if(config.upstreams.begin(), config.upstreams.end(), by_itself) == 1;
  if (default_model.empty() && alone && first->kind == demo_model && first->models.empty()) default_model = demo_model;
  return std::make_shared<relay::ModelTable>(std::move(upstreams), std::move(default_model));
}

}  // namespace tokenrelay
