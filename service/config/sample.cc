// deploy/tokenrelay.toml, written from the table of keys.
#include "service/config/keys.h"
#include "service/config/load.h"

namespace tokenrelay {
namespace {

constexpr std::string_view head =
    R"(# tokenrelay: every key with its default. Copy the keys that you change; the others keep their defaults.
# Flags override the environment, which overrides this file. Each key outside [[upstream]] has an environment variable:
# TOKENRELAY_LISTEN, TOKENRELAY_LIMITS_LIVE_STREAMS, and so on; a list is written there with commas.
# `tokenrelay check-config FILE` checks a file. SIGHUP reloads it; what starts afterwards uses the new values.
# The log names changed keys that need a restart.
# Units are part of the names: _ms milliseconds, _us microseconds, _bytes bytes.
)";

constexpr std::string_view upstreams =
    R"(
# Upstreams: the providers of models, one [[upstream]] each. Without any, the relay serves its built-in model, demo.
# With several, each lists its models, except those that are only fallbacks. Flags --upstream KIND=BASE_URL replace
# this list; each takes its other settings from the first entry of its kind.
#
)";

std::string quoted(const std::string& text) {
  return "\"" + text + "\"";
}

template <typename Owner>
std::string value_of(const Key<Owner>& key, Owner& owner) {
  return std::visit(
      [&](auto place) -> std::string {
        const auto& value = place(owner);
        using Value = std::remove_cvref_t<decltype(value)>;
        if constexpr (std::is_same_v<Value, std::string>) {
          return quoted(value.empty() ? std::string(key.example) : value);
        } else if constexpr (std::is_same_v<Value, bool>) {
          return value ? "true" : "false";
        } else if constexpr (std::is_same_v<Value, std::vector<std::string>>) {
          return "[]";
        } else {
          return std::to_string(value);
        }
      },
      key.member);
}

}  // namespace

std::string sample_config() {
  std::string text(head);
  Config defaults;
  std::string_view section;
  for (const auto& key : config_keys()) {
    if (key.section != section) {
      section = key.section;
      text += "\n[" + std::string(section) + "]\n";
    }
    const std::string when = key.restart ? " Takes effect at a restart." : "";
    text += "\n# " + std::string(key.comment) + when + "\n" + std::string(key.name) + " = " + value_of(key, defaults) +
            "\n";
  }
  text += upstreams;
  text += "# [[upstream]]\n";
  UpstreamConfig upstream;
  for (const auto& key : upstream_keys()) {
    text += "# # " + std::string(key.comment) + "\n# " + std::string(key.name) + " = " + value_of(key, upstream) + "\n";
  }
  text += "# # Sent with every call. Credentials are not allowed here.\n# headers = { \"X-Team\" = \"chat\" }\n";
  return text;
}

}  // namespace tokenrelay
