#include "service/serve.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <csignal>

#include "service/relay_process.h"

namespace tokenrelay {

int serve(Config config, std::function<ConfigResult()> reload) {
  spdlog::set_default_logger(spdlog::stderr_logger_mt("tokenrelay"));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(config.log.level));
  std::signal(SIGPIPE, SIG_IGN);
  RelayProcess process(std::move(config), std::move(reload));
  return process.run();
}

}  // namespace tokenrelay
