#include "service/config/load.h"

#include <algorithm>

#include "service/config/keys.h"
#include "service/config/layers.h"

extern char** environ;

namespace tokenrelay {
namespace {

constexpr std::string_view prefix = "TOKENRELAY_";

Problem set(LayeredConfig& layered, const Key<Config>& key, const std::string& text, const std::string& origin) {
  const std::string path = path_of(key.section, key.name);
  layered.origins[path] = origin;
  const std::string what = set_from_text(key, layered.config, text);
  if (what.empty()) return {};
  return layered.wrong(path, what);
}

Problem take_environment(const std::map<std::string, std::string>& environment, LayeredConfig& layered) {
  for (const auto& key : config_keys()) {
    const auto found = environment.find(variable_of(key));
    if (found == environment.end()) continue;
    if (auto problem = set(layered, key, found->second, "environment")) {
      return ConfigError{found->first + ": " + problem->message.substr(problem->message.find(": ") + 2)};
    }
  }
  return {};
}

Problem take_flags(const std::map<std::string, std::string>& flags, LayeredConfig& layered) {
  for (const auto& key : config_keys()) {
    const auto found = flags.find(path_of(key.section, key.name));
    if (found == flags.end()) continue;
    if (auto problem = set(layered, key, found->second, "command line")) return problem;
  }
  return {};
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t at = 0; at < text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    parts.push_back(text.substr(at, comma - at));
    at = comma + 1;
  }
  return parts;
}

Problem layer(const ConfigSources& sources, LayeredConfig& layered) {
  if (!sources.file.empty()) {
    if (auto problem = read_config_file(sources.file, layered)) return problem;
  }
  if (auto problem = take_environment(sources.environment, layered)) return problem;
  if (auto problem = take_flags(sources.flags, layered)) return problem;
  const auto variable = sources.environment.find("TOKENRELAY_UPSTREAM");
  if (!sources.upstreams.empty()) return take_upstreams(sources.upstreams, "--upstream", layered);
  if (variable == sources.environment.end()) return {};
  return take_upstreams(split_at_commas(variable->second), variable->first, layered);
}

}  // namespace

ConfigError LayeredConfig::wrong(const std::string& path, const std::string& what) const {
  auto origin = origins.find(path);
  for (size_t dot = path.rfind('.'); origin == origins.end() && dot != std::string::npos && dot > 0;
       dot = path.rfind('.', dot - 1)) {
    origin = origins.find(path.substr(0, dot));
  }
  return {(origin == origins.end() ? "configuration" : origin->second) + ": " + path + ": " + what};
}

std::string path_of_upstream(size_t index, const std::string& key) {
  return "upstream[" + std::to_string(index) + "]" + (key.empty() ? "" : "." + key);
}

ConfigResult load_config(const ConfigSources& sources) {
  LayeredConfig layered;
  if (auto problem = layer(sources, layered)) return tl::make_unexpected(*problem);
  if (auto problem = check_upstreams(layered)) return tl::make_unexpected(*problem);
  if (auto problem = check_config(layered)) return tl::make_unexpected(*problem);
  return std::move(layered.config);
}

std::map<std::string, std::string> relay_environment() {
  std::map<std::string, std::string> variables;
  for (char** at = environ; at != nullptr && *at != nullptr; ++at) {
    const std::string_view entry = *at;
    const size_t equals = entry.find('=');
    if (entry.substr(0, prefix.size()) != prefix || equals == std::string_view::npos) continue;
    variables.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return variables;
}

std::vector<std::string> unknown_variables(const std::map<std::string, std::string>& environment) {
  std::vector<std::string> unknown;
  for (const auto& [name, value] : environment) {
    const std::string_view rest = std::string_view(name).substr(prefix.size());
    if (rest == "CONFIG" || rest == "UPSTREAM") continue;
    // Kubernetes sets these for a service of our name.
    if (rest.substr(0, 8) == "SERVICE_" || rest.substr(0, 4) == "PORT") continue;
    const auto keys = config_keys();
    if (std::none_of(keys.begin(), keys.end(), [&](const auto& key) { return variable_of(key) == name; })) {
      unknown.push_back(name);
    }
  }
  return unknown;
}

}  // namespace tokenrelay
