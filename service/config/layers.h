// The steps of load_config: the file onto the defaults, then the environment, then the flags, then the checks.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "service/config/load.h"

namespace tokenrelay {

// A configuration in the making, and where each value that was set came from ("relay.toml:3", "--listen").
struct LayeredConfig {
  Config config;
  std::map<std::string, std::string> origins;  // by path: "limits.steers", "upstream[0].base_url"

  // Names the origin of the path, or of its parent: a missing key is reported at its upstream.
  ConfigError wrong(const std::string& path, const std::string& what) const;
};

using Problem = std::optional<ConfigError>;

Problem read_config_file(const std::string& file, LayeredConfig& layered);

// KIND=BASE_URL. A single one serves every model. Each takes its other settings from the file's first unused entry of
// its kind; with several, its models too.
Problem take_upstreams(const std::vector<std::string>& upstreams, const std::string& origin, LayeredConfig& layered);

// Checks across keys; also fills the defaults that depend on others (an upstream's name, its key's variable).
Problem check_upstreams(LayeredConfig& layered);
Problem check_fallbacks(LayeredConfig& layered);  // before models: an upstream that is only a fallback needs none
std::string path_of_upstream(size_t index, const std::string& key);
Problem check_config(LayeredConfig& layered);

}  // namespace tokenrelay
