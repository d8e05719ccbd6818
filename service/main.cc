// tokenrelay: the one binary. Command line in, exit status out: 0 done, 1 failed while running, 2 usage or a bad
// configuration.
#include <malloc.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "service/command_line.h"
#include "service/log_lines.h"
#include "service/log_output.h"
#include "service/relay_process.h"

namespace tokenrelay {
namespace {

constexpr int64_t last_lines_ms = 1'000;  // for a log pipe to take the last lines

// A core file would hold prompts, answers and API keys. The hard limit stays: a supervisor may raise it again.
void forbid_core_dumps() {
  rlimit limit{};
  if (getrlimit(RLIMIT_CORE, &limit) != 0) return;
  limit.rlim_cur = 0;
  setrlimit(RLIMIT_CORE, &limit);
}

// Large buffers are mapped by themselves, so that they go back to the system when they are freed: kept by the
// allocator, a minute of large requests would look like a leak.
void give_back_large_buffers() {
  mallopt(M_MMAP_THRESHOLD, 256 << 10);
  mallopt(M_TRIM_THRESHOLD, 16 << 20);
}

// `tokenrelay serve`: blocks until the relay has drained. `reload` loads the same sources again (SIGHUP).
int serve(Config config, std::function<ConfigResult()> reload) {
  const bool json = config.log.format == "json";
  const auto output = std::make_shared<LogOutput>(STDERR_FILENO, json);
  spdlog::set_default_logger(std::make_shared<spdlog::logger>("tokenrelay", output));
  spdlog::set_formatter(line_formatter(json));
  spdlog::set_level(spdlog::level::from_str(config.log.level));
  std::signal(SIGPIPE, SIG_IGN);
  if (!config.core_dumps) forbid_core_dumps();
  give_back_large_buffers();
  int status = 1;
  {
    RelayProcess process(std::move(config), std::move(reload), [output] { return output->dropped(); });
    status = process.run();
  }
  output->drain(last_lines_ms);
  return status;
}

struct Dispatch {
  int operator()(const Answered& command) const { return command.status; }
  int operator()(const CheckConfig& command) const { return check_config(command); }
  int operator()(const ChatOptions& command) const { return run_chat(command, std::cout, std::cerr); }
  int operator()(const Serve& command) const {
    auto config = load_config(command.sources);
    if (!config) {
      std::cerr << "tokenrelay: " << config.error().message << "\n";
      return 2;
    }
    for (const auto& name : unknown_variables(command.sources.environment)) {
      std::cerr << "tokenrelay: unknown environment variable " << name << " is ignored\n";
    }
    return serve(std::move(*config), [sources = command.sources] { return load_config(sources); });
  }
};

}  // namespace
}  // namespace tokenrelay

int main(int argc, char** argv) {
  return std::visit(tokenrelay::Dispatch{}, tokenrelay::parse_command_line(argc, argv));
}
