// Everything that can be set, with its default. deploy/tokenrelay.toml shows the same keys with comments; each key
// outside [[upstream]] also has an environment variable: section and key in capitals after TOKENRELAY_, e.g.
// TOKENRELAY_LIMITS_LIVE_STREAMS; a top-level key is TOKENRELAY_LISTEN. Flags override the environment, which overrides
// the file.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tokenrelay {

struct UpstreamConfig {  // [[upstream]]
  std::string name;      // in logs and in fallbacks of others; default: the kind
  std::string kind;      // openai, openai-responses, anthropic, gemini, demo
  std::string base_url;
  std::string api_key_env;  // name of the environment variable; default by kind (OPENAI_API_KEY …)
  std::vector<std::pair<std::string, std::string>> headers;  // extra request headers
  std::vector<std::string> models;        // model names or globs it serves; empty: all, or none (only_fallback)
  std::vector<std::string> fallback;      // NAME or NAME=MODEL of others, in order
  std::vector<std::string> pass_headers;  // of clients that speak its protocol, beside those that always pass
  bool background = false;                // openai-responses: answers survive a lost connection
  int64_t connect_ms = 10'000, first_byte_ms = 300'000, idle_ms = 120'000;
  uint32_t max_concurrent = 0;  // generations at once; 0: no limit

  // Derived by load_config().
  struct Fallback {
    std::string upstream, model;  // model "": the requested one
  };
  std::vector<Fallback> fallbacks;
  bool only_fallback = false;  // others fall back to it, and it lists no models
};

struct Config {
  std::string listen = "127.0.0.1:8080";
  std::string admin_listen;  // "": /metrics, /healthz, /readyz stay on `listen`
  std::string data = "./tokenrelay-data";
  std::string default_model;  // "": the first configured name, else the only listed one
  std::vector<std::string> cors_origins;
  std::vector<std::string> trusted_proxies;
  std::vector<std::string> hosts;           // names that it answers to; on loopback those of loopback too
  std::vector<std::string> public_origins;  // its own, as browsers see them
  bool allow_unauthenticated = false;       // required to listen beyond loopback
  bool list = false;                        // GET /v1/streams beyond loopback without authentication
  int64_t drain_timeout_ms = 25'000;
  bool core_dumps = false;  // they hold prompts, answers and keys

  struct Tls {                     // [tls], of `listen`
    std::string certificate, key;  // PEM files; both, or neither: plain HTTP
    bool on() const { return !certificate.empty(); }
  } tls;

  struct Log {                    // [log]
    std::string level = "info";   // debug, info, warning, error
    std::string format = "text";  // text, json
    bool prompts = false;         // log a new stream's messages; they are private, so off by default
  } log;

  // What happens to an answer when its client leaves: continue, cancel, cancel_after_ms=N.
  struct Surfaces {  // [surfaces]
    std::string chat_on_disconnect = "cancel", messages_on_disconnect = "cancel", gemini_on_disconnect = "cancel";
    std::string responses_on_disconnect = "cancel_after_ms=30000";  // not of background answers
    std::string ui_on_disconnect = "continue";
  } surfaces;

  struct Storage {                       // [storage]
    std::string sync = "full";           // full, normal
    uint32_t commit_interval_us = 1000;  // 0..20000
    bool keep_requests = false;
    int64_t retention_ms = 24 * 3600 * 1000;  // after done
    uint64_t retention_bytes = 10ull << 30;
    int64_t retention_reader_grace_ms = 600'000;  // for an expired stream that is read; then readers are cut
    uint64_t journal_flush_bytes = 64u << 20;
    uint32_t journal_flush_ms = 60'000;
    uint64_t wal_restart_bytes = 16u << 20;
  } storage;

  struct Limits {  // [limits]
    uint64_t head_bytes = 16 << 10, line_bytes = 8 << 10, path_bytes = 1 << 10;
    uint32_t headers = 64;
    int64_t head_ms = 10'000;
    uint64_t body_bytes = 10 << 20;
    int64_t body_ms = 30'000;
    uint32_t json_depth = 64;
    uint32_t json_values = 100'000;
    int64_t keep_alive_ms = 75'000;
    uint64_t connections = 0;  // 0: descriptor limit - 256
    uint32_t live_streams = 4000;
    uint32_t queued_streams = 1000;  // waiting for an upstream slot
    int64_t queue_ms = 60'000;
    uint64_t steer_bytes = 32 << 10;
    uint32_t steers = 16;
    uint64_t upstream_event_bytes = 8 << 20;
    uint64_t event_bytes = 16 << 10;  // one stored event; longer deltas are split between code points
    uint64_t stream_bytes = 64 << 20;
    int64_t stream_ms = 3600 * 1000;
    uint32_t upstream_retries = 2;
    int64_t upstream_retry_ms = 30'000;    // for all retries together
    uint64_t whole_read_bytes = 64 << 20;  // held at once by answers that are read whole
    int64_t write_stall_ms = 60'000;       // a reader that takes no byte for this long while data is due is cut
    int64_t heartbeat_ms = 15'000;
    uint64_t uncommitted_stream_bytes = 256 << 10, uncommitted_bytes = 64 << 20;
    uint64_t prompt_bytes = 256 << 20;  // of requests that no upstream has accepted yet
    uint64_t memory_bytes = 0;          // in use; 0: three quarters of what the machine or control group has
    int64_t commit_lag_ms = 2000;       // the log's, above which new streams are refused
    int64_t log_stall_ms = 30'000;      // when the log cannot commit for this long, generations are closed
  } limits;

  std::vector<UpstreamConfig> upstreams;  // empty: the demo model
};

}  // namespace tokenrelay
