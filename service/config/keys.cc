#include "service/config/keys.h"

#include <charconv>

namespace tokenrelay {
namespace {

constexpr int64_t hour = 3600 * 1000, day = 24 * hour;
constexpr int64_t mib = 1 << 20, gib = 1 << 30;

#define AT(field) +[](Config& c) -> decltype((c.field)) { return c.field; }
#define OF(field) +[](UpstreamConfig& u) -> decltype((u.field)) { return u.field; }

const Key<Config> keys[] = {
    {"", "listen", AT(listen), "HOST:PORT, [IPv6]:PORT; port 0 takes a free one. A restart applies a change."},
    {"", "admin_listen", AT(admin_listen),
     "Another HOST:PORT for /metrics, /healthz and /readyz; empty: they stay on `listen`."},
    {"", "data", AT(data), "The directory of the event log; it belongs to one process. A restart applies a change."},
    {"", "default_model", AT(default_model),
     "The model of a request that names none; empty: the first model of the first upstream, or \"demo\"."},
    {"", "cors_origins", AT(cors_origins),
     "Origins whose pages may call the relay: [\"https://chat.example\"], or [\"*\"]."},
    {"", "trusted_proxies", AT(trusted_proxies),
     "Addresses or networks whose X-Forwarded-For and -Proto count: [\"127.0.0.1\", \"10.0.0.0/8\"]."},
    {"", "allow_unauthenticated", AT(allow_unauthenticated),
     "Needed to listen beyond loopback: whoever reaches the port may read and start streams."},
    {"", "list", AT(list), "Answer GET /v1/streams, the list of all streams, when listening beyond loopback."},
    {"", "drain_timeout_ms", AT(drain_timeout_ms), "On SIGTERM running generations may go on so long.", 0, day},

    {"tls", "certificate", AT(tls.certificate),
     "A file in PEM, the relay's certificate and then its chain: `listen` speaks TLS. SIGHUP reads both files again; "
     "to turn TLS on or off takes a restart."},
    {"tls", "key", AT(tls.key), "The certificate's private key, in PEM, without a passphrase."},

    {"log", "level", AT(log.level), "debug, info, warning, error. Logs go to standard error.", 0, 0,
     "debug|info|warning|error"},
    {"log", "prompts", AT(log.prompts), "Log each new stream's messages. They are private: only to debug."},

    {"surfaces", "on_disconnect", AT(surfaces.on_disconnect),
     "Chat Completions, Messages, Gemini: when the client closes its connection, its answer is cancelled or goes on. A "
     "request's On-Disconnect header says otherwise for itself.",
     0, 0, "continue|cancel"},

    {"storage", "sync", AT(storage.sync),
     "full: an event that was shown survives a power cut. normal: it survives a killed process. A restart applies a "
     "change.",
     0, 0, "full|normal"},
    {"storage", "commit_interval_us", AT(storage.commit_interval_us),
     "Between group commits under load, in microseconds; more saves CPU and adds latency.", 0, 20'000},
    {"storage", "keep_requests", AT(storage.keep_requests), "Keep a prompt after its stream has ended."},
    {"storage", "retention_ms", AT(storage.retention_ms), "A finished stream is kept so long (24 h).", 1, 3650 * day},
    {"storage", "retention_bytes", AT(storage.retention_bytes),
     "All streams together; the oldest finished go first (10 GiB).", 0, INT64_MAX},
    {"storage", "retention_reader_grace_ms", AT(storage.retention_reader_grace_ms),
     "A stream that is being read is spared so long past its time; then its readers are cut.", 0, day},
    {"storage", "journal_flush_bytes", AT(storage.journal_flush_bytes),
     "The journal is turned into segments at this size.", 4096, 16 * gib},
    {"storage", "journal_flush_ms", AT(storage.journal_flush_ms), "… and at this age.", 100, hour},
    {"storage", "wal_restart_bytes", AT(storage.wal_restart_bytes),
     "SQLite's write-ahead file starts over at this size.", 4096, 16 * gib},

    {"limits", "head_bytes", AT(limits.head_bytes), "A request's head; more is a 431.", 1024, mib},
    {"limits", "line_bytes", AT(limits.line_bytes), "One line of it; more is a 431. At most 8 KiB.", 256, 8192},
    {"limits", "path_bytes", AT(limits.path_bytes), "The path; more is a 414. At most 1 KiB.", 64, 1024},
    {"limits", "headers", AT(limits.headers), "Header lines of a request; more is a 431. At most 64.", 8, 64},
    {"limits", "head_ms", AT(limits.head_ms), "The whole head arrives within.", 100, hour},
    {"limits", "body_bytes", AT(limits.body_bytes), "A request's body; more is a 413.", 1024, gib},
    {"limits", "body_ms", AT(limits.body_ms), "The whole body arrives within.", 100, hour},
    {"limits", "json_depth", AT(limits.json_depth), "How deep JSON may nest.", 4, 512},
    {"limits", "keep_alive_ms", AT(limits.keep_alive_ms), "An idle connection is closed after.", 0, day},
    {"limits", "connections", AT(limits.connections), "Open connections; 0: the soft descriptor limit less 256.", 0,
     10'000'000},
    {"limits", "live_streams", AT(limits.live_streams), "Streams that have not ended; more is a 503.", 1, 10'000'000},
    {"limits", "queued_streams", AT(limits.queued_streams), "Streams that wait for an upstream slot; more is a 503.", 0,
     10'000'000},
    {"limits", "queue_ms", AT(limits.queue_ms), "… and how long they wait.", 0, day},
    {"limits", "steer_bytes", AT(limits.steer_bytes), "The text of one steer command.", 1, 16 * mib},
    {"limits", "steers", AT(limits.steers), "Steer commands to one stream.", 0, 10'000},
    {"limits", "upstream_event_bytes", AT(limits.upstream_event_bytes), "One event from an upstream.", 1024, gib},
    {"limits", "event_bytes", AT(limits.event_bytes), "One stored event; longer deltas are split at a code point.", 64,
     65'536},
    {"limits", "stream_bytes", AT(limits.stream_bytes), "One stream; longer fails with stream_too_long.", 1024,
     16 * gib},
    {"limits", "stream_ms", AT(limits.stream_ms), "One stream; longer fails with time_limit (1 h).", 100, 30 * day},
    {"limits", "upstream_retries", AT(limits.upstream_retries),
     "An upstream call that fails before its first token is tried again so often.", 0, 20},
    {"limits", "upstream_retry_ms", AT(limits.upstream_retry_ms), "… all within.", 0, hour},
    {"limits", "whole_read_bytes", AT(limits.whole_read_bytes),
     "What answers that are read whole (states, lists, answers that do not stream) may hold in memory at once, until "
     "their clients have taken them; more wait a little, then it is a 503. One alone may be larger.",
     65'536, 64 * gib},
    {"limits", "write_stall_ms", AT(limits.write_stall_ms),
     "A reader that takes no byte for so long with data due is cut.", 100, day},
    {"limits", "heartbeat_ms", AT(limits.heartbeat_ms), "A heartbeat goes out after so much silence; at most 15 s.", 10,
     15'000},
    {"limits", "uncommitted_stream_bytes", AT(limits.uncommitted_stream_bytes),
     "One stream's bytes that are not durable yet; above, its upstream is not read.", 1024, gib},
    {"limits", "uncommitted_bytes", AT(limits.uncommitted_bytes), "… and those of all streams.", 65'536, 64 * gib},
    {"limits", "memory_bytes", AT(limits.memory_bytes),
     "Resident memory above which nothing new begins (503); 0: three quarters of what there is.", 0, INT64_MAX},
    {"limits", "commit_lag_ms", AT(limits.commit_lag_ms),
     "An event that waits longer for its commit means that nothing new begins (503).", 10, hour},
    {"limits", "log_stall_ms", AT(limits.log_stall_ms), "A log that cannot commit for so long: generations are closed.",
     100, day},
};

const Key<UpstreamConfig> keys_of_upstream[] = {
    {"upstream", "kind", OF(kind),
     "The dialect: openai (Chat Completions, also vLLM, Ollama, llama.cpp, LiteLLM), openai-responses, anthropic, "
     "gemini, or demo.",
     0, 0, "", "openai"},
    {"upstream", "base_url", OF(base_url),
     "As the provider's SDKs take it: for openai and openai-responses it ends in /v1; https://api.anthropic.com; "
     "https://generativelanguage.googleapis.com.",
     0, 0, "", "https://api.openai.com/v1"},
    {"upstream", "name", OF(name), "In logs, and how others fall back to it; default: the kind.", 0, 0, "", "openai"},
    {"upstream", "api_key_env", OF(api_key_env),
     "The environment variable that holds the key (never the key itself); by kind OPENAI_API_KEY, ANTHROPIC_API_KEY or "
     "GEMINI_API_KEY; without a value no credential is sent.",
     0, 0, "", "OPENAI_API_KEY"},
    {"upstream", "models", OF(models),
     "Model names, or globs, that go here; a single upstream may leave it out and takes every name; one that others "
     "fall back to may leave it out and takes none by itself."},
    {"upstream", "fallback", OF(fallback),
     "Upstreams, by name, that are asked in turn when this one fails before its first token: [\"backup\", "
     "\"backup=another-model\"]."},
    {"upstream", "background", OF(background),
     "openai-responses only: answers are made in background mode, so that a cut connection is taken up again."},
    {"upstream", "connect_ms", OF(connect_ms), "Connect within.", 1, hour},
    {"upstream", "first_byte_ms", OF(first_byte_ms), "The answer begins within.", 1, day},
    {"upstream", "idle_ms", OF(idle_ms), "Silence, once it has begun.", 1, day},
    {"upstream", "max_concurrent", OF(max_concurrent), "Generations at once; 0: no limit. More wait their turn.", 0,
     1'000'000},
};

#undef AT
#undef OF

std::string range_of(int64_t min, int64_t max) {
  if (max == INT64_MAX) return "must be " + std::to_string(min) + " or more";
  return "must be " + std::to_string(min) + " to " + std::to_string(max);
}

bool among(std::string_view value, std::string_view choices) {
  while (!choices.empty()) {
    const size_t bar = std::min(choices.find('|'), choices.size());
    if (choices.substr(0, bar) == value) return true;
    choices.remove_prefix(std::min(bar + 1, choices.size()));
  }
  return false;
}

std::string spoken(std::string_view choices) {
  std::string words;
  for (const char c : choices) words += c == '|' ? std::string(", ") : std::string(1, c);
  return words;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at <= text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    std::string part = text.substr(at, comma - at);
    part.erase(0, part.find_first_not_of(' '));
    part.erase(part.find_last_not_of(' ') + 1);
    if (!part.empty()) parts.push_back(std::move(part));
    at = comma + 1;
  }
  return parts;
}

}  // namespace

std::span<const Key<Config>> config_keys() {
  return keys;
}
std::span<const Key<UpstreamConfig>> upstream_keys() {
  return keys_of_upstream;
}

std::string path_of(std::string_view section, std::string_view name) {
  return section.empty() ? std::string(name) : std::string(section) + "." + std::string(name);
}

std::string variable_of(const Key<Config>& key) {
  std::string variable = "TOKENRELAY_" + path_of(key.section, key.name);
  for (char& c : variable) c = c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return variable;
}

template <typename Owner>
std::string set_number(const Key<Owner>& key, Owner& owner, int64_t value) {
  return std::visit(
      [&](auto place) -> std::string {
        using Field = std::remove_reference_t<decltype(place(owner))>;
        if constexpr (std::is_integral_v<Field> && !std::is_same_v<Field, bool>) {
          if (value < key.min || value > key.max) return range_of(key.min, key.max);
          place(owner) = static_cast<Field>(value);
          return "";
        } else {
          return "must be " + std::string(type_name(key));
        }
      },
      key.member);
}

template <typename Owner>
std::string set_text(const Key<Owner>& key, Owner& owner, std::string value) {
  const auto* place = std::get_if<std::string& (*)(Owner&)>(&key.member);
  if (!place) return "must be " + std::string(type_name(key));
  if (!key.choices.empty() && !among(value, key.choices)) return "must be one of " + spoken(key.choices);
  if (value.find('\0') != std::string::npos) return "must not hold a NUL";
  (*place)(owner) = std::move(value);
  return "";
}

std::string set_from_text(const Key<Config>& key, Config& config, const std::string& text) {
  if (const auto* flag = std::get_if<bool& (*)(Config&)>(&key.member)) {
    if (text != "true" && text != "false") return "must be true or false";
    (*flag)(config) = text == "true";
    return "";
  }
  if (const auto* list = std::get_if<std::vector<std::string>& (*)(Config&)>(&key.member)) {
    (*list)(config) = split(text);
    return "";
  }
  if (std::holds_alternative<std::string& (*)(Config&)>(key.member)) return set_text(key, config, text);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return "must be a whole number";
  return set_number(key, config, number);
}

template <typename Owner>
std::string_view type_name(const Key<Owner>& key) {
  constexpr std::string_view environment_names[] = {"text in quotes", "true or false",  "a whole number",
                                                    "a whole number", "a whole number", "a list of texts"};
  return environment_names[key.member.index()];
}

template std::string set_number(const Key<Config>&, Config&, int64_t);
template std::string set_number(const Key<UpstreamConfig>&, UpstreamConfig&, int64_t);
template std::string set_text(const Key<Config>&, Config&, std::string);
template std::string set_text(const Key<UpstreamConfig>&, UpstreamConfig&, std::string);
template std::string_view type_name(const Key<Config>&);
template std::string_view type_name(const Key<UpstreamConfig>&);

}  // namespace tokenrelay
