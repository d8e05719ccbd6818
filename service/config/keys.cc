#include "service/config/keys.h"

#include <charconv>

namespace tokenrelay {
namespace {

constexpr int64_t hour = 3600 * 1000, day = 24 * hour;
constexpr int64_t mib = 1 << 20, gib = 1 << 30;

Key<Config> at_restart(Key<Config> key) {
  key.restart = true;
  return key;
}

#define AT(field) +[](Config& c) -> decltype((c.field)) { return c.field; }
#define OF(field) +[](UpstreamConfig& u) -> decltype((u.field)) { return u.field; }

const Key<Config> keys[] = {
    at_restart({"", "listen", AT(listen), "HOST:PORT or [IPv6]:PORT; port 0 picks a free port."}),
    at_restart({"", "admin_listen", AT(admin_listen),
                "Another HOST:PORT for /metrics, /healthz and /readyz; empty: they are on `listen`."}),
    at_restart({"", "data", AT(data), "Directory of the event log; only one process can use it."}),
    {"", "default_model", AT(default_model),
     "Model for requests without one; empty: the first that `models` of an upstream names, else the only one that the "
     "upstream lists."},
    {"", "cors_origins", AT(cors_origins),
     "Origins of other sites whose pages may call the relay, such as [\"https://chat.example\"]; [\"*\"] allows all. "
     "Anything but a read, and every WebSocket, of a page that is neither on this list nor the relay's own is a 403."},
    {"", "trusted_proxies", AT(trusted_proxies),
     "Addresses or networks of proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are trusted, such "
     "as [\"127.0.0.1\", \"10.0.0.0/8\"]."},
    {"", "hosts", AT(hosts),
     "Names without port that the relay answers to, such as [\"relay.example\"]; a request for another is a 421, so "
     "that no page can reach the relay by a name of its own (DNS rebinding). [\"*\"] is any. A relay on loopback "
     "answers to loopback names too; beyond loopback this key must be set. /healthz, /readyz and all of admin_listen "
     "answer to any name."},
    {"", "public_origins", AT(public_origins),
     "The relay's own origins as browsers see them, such as [\"https://relay.example\"]: needed behind a proxy that "
     "hides them. A request's scheme and host, and what trusted_proxies say of them, need no entry."},
    {"", "allow_unauthenticated", AT(allow_unauthenticated),
     "Must be true to listen beyond loopback: anyone who reaches the port can read and start streams."},
    {"", "list", AT(list), "Serve GET /v1/streams, the list of all streams, also when listening beyond loopback."},
    {"", "drain_timeout_ms", AT(drain_timeout_ms), "How long running generations may continue after SIGTERM.", 0, day},

    at_restart(
        {"", "core_dumps", AT(core_dumps),
         "Leave the limit of core files as it is. They hold prompts, answers and API keys, so by default none is "
         "written."}),

    {"tls", "certificate", AT(tls.certificate),
     "PEM file with the certificate, then its chain: `listen` then speaks TLS. SIGHUP reads certificate and key again; "
     "turning TLS on or off needs a restart."},
    {"tls", "key", AT(tls.key), "PEM file with the certificate's private key, without a passphrase."},

    {"log", "level", AT(log.level), "debug, info, warning or error. Logs go to standard error.", 0, 0,
     "debug|info|warning|error"},
    at_restart({"log", "format", AT(log.format), "text, or json: one object a line, a request's line with its fields.",
                0, 0, "text|json"}),
    {"log", "prompts", AT(log.prompts), "Log the messages of each new stream. They are private: only for debugging."},

    {"surfaces", "chat_on_disconnect", AT(surfaces.chat_on_disconnect),
     "What happens to an answer of this surface when its client disconnects: continue, cancel or cancel_after_ms=N. A "
     "request's On-Disconnect header overrides it."},
    {"surfaces", "messages_on_disconnect", AT(surfaces.messages_on_disconnect), "The same for Anthropic's Messages."},
    {"surfaces", "gemini_on_disconnect", AT(surfaces.gemini_on_disconnect), "The same for Gemini."},
    {"surfaces", "responses_on_disconnect", AT(surfaces.responses_on_disconnect),
     "The same for Responses, whose clients can come back; a background answer always continues."},
    {"surfaces", "ui_on_disconnect", AT(surfaces.ui_on_disconnect),
     "The same for AI SDK UI messages, whose pages come back after a reload."},

    at_restart({"storage", "sync", AT(storage.sync),
                "full: an event that was shown survives a power cut. normal: it survives a killed process.", 0, 0,
                "full|normal"}),
    at_restart({"storage", "commit_interval_us", AT(storage.commit_interval_us),
                "Time between group commits under load; more saves CPU and adds latency.", 0, 20'000}),
    at_restart(
        {"storage", "keep_requests", AT(storage.keep_requests), "Keep the prompt of a stream after it has ended."}),
    {"storage", "retention_ms", AT(storage.retention_ms), "How long a finished stream is kept (24 h).", 1, 3650 * day},
    {"storage", "retention_bytes", AT(storage.retention_bytes),
     "Size of all streams together; above it the oldest finished ones are removed (10 GiB).", 0, INT64_MAX},
    {"storage", "retention_reader_grace_ms", AT(storage.retention_reader_grace_ms),
     "How much longer an expired stream is kept while it is being read; then its readers are cut.", 0, day},
    at_restart({"storage", "journal_flush_bytes", AT(storage.journal_flush_bytes),
                "The journal is written to segments at this size, or at the age below.", 4096, 16 * gib}),
    at_restart({"storage", "journal_flush_ms", AT(storage.journal_flush_ms),
                "The journal is written to segments at this age.", 100, hour}),
    at_restart({"storage", "wal_restart_bytes", AT(storage.wal_restart_bytes),
                "SQLite's write-ahead log starts over at this size.", 4096, 16 * gib}),

    {"limits", "head_bytes", AT(limits.head_bytes), "Largest request head; more is a 431.", 1024, mib},
    {"limits", "line_bytes", AT(limits.line_bytes), "Longest line of a request head; more is a 431. At most 8 KiB.",
     256, 8192},
    {"limits", "path_bytes", AT(limits.path_bytes), "Longest path; more is a 414. At most 1 KiB.", 64, 1024},
    {"limits", "headers", AT(limits.headers), "Most header lines in a request; more is a 431. At most 64.", 8, 64},
    {"limits", "head_ms", AT(limits.head_ms), "Time for a whole request head to arrive.", 100, hour},
    {"limits", "body_bytes", AT(limits.body_bytes), "Largest request body; more is a 413.", 1024, gib},
    {"limits", "body_ms", AT(limits.body_ms), "Time for a whole request body to arrive.", 100, hour},
    {"limits", "json_depth", AT(limits.json_depth), "Deepest nesting of JSON in a request.", 4, 512},
    {"limits", "json_values", AT(limits.json_values),
     "Most values (scalars, arrays, objects) in a request's JSON; more is a 400.", 100, 10'000'000},
    {"limits", "keep_alive_ms", AT(limits.keep_alive_ms), "An idle connection is closed after this time.", 0, day},
    at_restart({"limits", "connections", AT(limits.connections),
                "Most open connections; 0: the limit of file descriptors minus 256.", 0, 10'000'000}),
    {"limits", "live_streams", AT(limits.live_streams), "Most streams that have not ended; more is a 503.", 1,
     10'000'000},
    {"limits", "queued_streams", AT(limits.queued_streams),
     "Most streams that wait for an upstream slot; more is a 503.", 0, 10'000'000},
    {"limits", "queue_ms", AT(limits.queue_ms), "Longest wait for an upstream slot.", 0, day},
    {"limits", "steer_bytes", AT(limits.steer_bytes), "Longest text of one steer command.", 1, 16 * mib},
    {"limits", "steers", AT(limits.steers), "Most steer commands to one stream.", 0, 10'000},
    {"limits", "upstream_event_bytes", AT(limits.upstream_event_bytes), "Largest event from an upstream.", 1024, gib},
    {"limits", "event_bytes", AT(limits.event_bytes),
     "Largest stored event; longer deltas are split between code points.", 64, 65'536},
    {"limits", "stream_bytes", AT(limits.stream_bytes),
     "Largest stream; beyond it the stream fails with stream_too_long.", 1024, 16 * gib},
    {"limits", "stream_ms", AT(limits.stream_ms), "Longest time of a stream; then it fails with time_limit (1 h).", 100,
     30 * day},
    {"limits", "upstream_retries", AT(limits.upstream_retries),
     "Most retries of an upstream call that fails before its first token …", 0, 20},
    {"limits", "upstream_retry_ms", AT(limits.upstream_retry_ms), "… and the time for all of them.", 0, hour},
    {"limits", "whole_read_bytes", AT(limits.whole_read_bytes),
     "Most memory for answers that are sent whole (states, lists, answers that do not stream), held until their "
     "clients have taken them; beyond it a request waits briefly, then it is a 503. One alone may be larger.",
     65'536, 64 * gib},
    {"limits", "write_stall_ms", AT(limits.write_stall_ms),
     "A reader that takes no byte for this long while data is due is cut.", 100, day},
    {"limits", "heartbeat_ms", AT(limits.heartbeat_ms), "A heartbeat is sent after this much silence; at most 15 s.",
     10, 15'000},
    {"limits", "uncommitted_stream_bytes", AT(limits.uncommitted_stream_bytes),
     "Most bytes of one stream that are not durable yet; above it, its upstream is not read.", 1024, gib},
    {"limits", "uncommitted_bytes", AT(limits.uncommitted_bytes), "The same for all streams together.", 65'536,
     64 * gib},
    {"limits", "memory_bytes", AT(limits.memory_bytes),
     "Memory in use above which new streams get a 503; 0: three quarters of what the machine or control group has.", 0,
     INT64_MAX},
    {"limits", "prompt_bytes", AT(limits.prompt_bytes),
     "Requests that no upstream has accepted yet, together; above it new streams get a 503.", 65'536, 64 * gib},
    {"limits", "commit_lag_ms", AT(limits.commit_lag_ms),
     "When an event waits longer than this for its commit, new streams get a 503.", 10, hour},
    {"limits", "log_stall_ms", AT(limits.log_stall_ms),
     "When the event log cannot commit for this long, running generations are closed.", 100, day},
};

const Key<UpstreamConfig> keys_of_upstream[] = {
    {"upstream", "kind", OF(kind),
     "The provider's API: openai (Chat Completions, also vLLM, Ollama, llama.cpp, LiteLLM), openai-responses, "
     "anthropic, gemini, or demo (built in).",
     0, 0, "", "openai"},
    {"upstream", "base_url", OF(base_url),
     "The base URL, as the provider's SDKs take it: for openai and openai-responses it ends in /v1; "
     "https://api.anthropic.com; https://generativelanguage.googleapis.com.",
     0, 0, "", "https://api.openai.com/v1"},
    {"upstream", "name", OF(name), "Its name in logs and in `fallback`; default: the kind.", 0, 0, "", "openai"},
    {"upstream", "api_key_env", OF(api_key_env),
     "The environment variable that holds the API key (never the key itself); default by kind: OPENAI_API_KEY, "
     "ANTHROPIC_API_KEY or GEMINI_API_KEY. If the variable is not set, no credential is sent.",
     0, 0, "", "OPENAI_API_KEY"},
    {"upstream", "models", OF(models),
     "Model names or globs that it serves. Without this key, a single upstream serves every model, and an upstream "
     "that is listed in a `fallback` serves only as a fallback."},
    {"upstream", "fallback", OF(fallback),
     "Names of upstreams to try in order when this one fails before its first token: [\"backup\", "
     "\"backup=another-model\"]."},
    {"upstream", "pass_headers", OF(pass_headers),
     "Names of request headers that go up, of clients that speak this upstream's protocol; those that their SDKs send "
     "to their provider pass anyway. No credentials."},
    {"upstream", "background", OF(background),
     "openai-responses only: run answers in background mode, so that they resume after a lost connection."},
    {"upstream", "connect_ms", OF(connect_ms), "Time to connect.", 1, hour},
    {"upstream", "first_byte_ms", OF(first_byte_ms), "Time until the answer begins.", 1, day},
    {"upstream", "idle_ms", OF(idle_ms), "Longest silence after it has begun.", 1, day},
    {"upstream", "max_concurrent", OF(max_concurrent), "Most generations at once; more wait for a slot. 0: no limit.",
     0, 1'000'000},
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

std::vector<std::string> keep_until_restart(Config running, Config& next) {
  std::vector<std::string> kept;
  for (const auto& key : keys) {
    if (!key.restart) continue;
    const bool changed = std::visit(
        [&](auto place) {
          if (place(running) == place(next)) return false;
          place(next) = place(running);
          return true;
        },
        key.member);
    if (changed) kept.push_back(path_of(key.section, key.name));
  }
  return kept;
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
  if (value.find('\0') != std::string::npos) return "must not contain a NUL character";
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
  constexpr std::string_view environment_names[] = {"a string in quotes", "true or false",  "a whole number",
                                                    "a whole number",     "a whole number", "a list of strings"};
  return environment_names[key.member.index()];
}

template std::string set_number(const Key<Config>&, Config&, int64_t);
template std::string set_number(const Key<UpstreamConfig>&, UpstreamConfig&, int64_t);
template std::string set_text(const Key<Config>&, Config&, std::string);
template std::string set_text(const Key<UpstreamConfig>&, UpstreamConfig&, std::string);
template std::string_view type_name(const Key<Config>&);
template std::string_view type_name(const Key<UpstreamConfig>&);

}  // namespace tokenrelay
