// Configuration: the defaults, overridden by the file, then the environment, then the flags.
//
// An unknown key, a wrong type, a value out of range and settings that contradict each other are errors. The message
// names the place ("relay.toml:12: limits.live_streams: …") and never shows a value that could be a secret.
#pragma once

#include <map>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "service/config/config.h"

namespace tokenrelay {

// Where settings come from. Kept by the program: a reload loads the same sources again.
struct ConfigSources {
  std::string file;                                // "": none
  std::map<std::string, std::string> environment;  // variables that begin with TOKENRELAY_
  std::map<std::string, std::string> flags;        // by key: "listen", "data", "log.level"
  std::vector<std::string> upstreams;              // KIND=BASE_URL, in order
};

struct ConfigError {
  std::string message;
};

using ConfigResult = tl::expected<Config, ConfigError>;

ConfigResult load_config(const ConfigSources& sources);

// For a reload: what only a restart applies stays in `next` as it is. Returns the keys that differ there.
std::vector<std::string> keep_until_restart(Config running, Config& next);

std::map<std::string, std::string> relay_environment();  // this process's variables that begin with TOKENRELAY_

// Variables that begin with TOKENRELAY_ but match no key, for a warning. Those that Kubernetes adds for a service are
// left out.
std::vector<std::string> unknown_variables(const std::map<std::string, std::string>& environment);

// The text of deploy/tokenrelay.toml: every key with its default and a comment.
std::string sample_config();

}  // namespace tokenrelay
