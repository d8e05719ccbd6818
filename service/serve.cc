#include "service/serve.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <csignal>

#include "service/log_output.h"
#include "service/relay_process.h"

namespace tokenrelay {
namespace {

constexpr int64_t last_lines_ms = 1'000;  // for a log pipe to take what was said at the end

}  // namespace

int serve(Config config, std::function<ConfigResult()> reload) {
  const auto output = std::make_shared<LogOutput>(STDERR_FILENO);
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("tokenrelay", output));
  spdlog::set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  spdlog::set_level(spdlog::level::from_str(config.log.level));
  std::signal(SIGPIPE, SIG_IGN);
  int status = 1;
  {
    RelayProcess process(std::move(config), std::move(reload), [output] { return output->dropped(); });
    status = process.run();
  }
  output->drain(last_lines_ms);
  return status;
}

}  // namespace tokenrelay
