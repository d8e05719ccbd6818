// The benchmark's command line; README.md says what it measures.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "tests/bench/floor_server.h"
#include "tests/bench/machine.h"
#include "tests/bench/modes.h"
#include "tests/bench/nginx_server.h"
#include "tests/bench/plots.h"
#include "tests/bench/targets.h"

namespace tokenrelay::bench {
namespace {

const std::vector<std::string> all_modes = {"relay", "relay-tls", "saturate", "fanout",
                                            "idle",  "replay",    "post",     "churn"};

struct Chosen {
  Setting setting;
  Load load;
  std::vector<std::string> modes = {"relay"};
  std::vector<int> streams, subscribers;  // each in turn; empty: the mode's own
  std::vector<std::string> env;
  std::string json_file, svg_directory;
  int repeat = 1;
  bool unpinned = false, no_nginx = false;
};

void describe(CLI::App& app, Chosen& chosen) {
  auto& [setting, load, modes, streams, subscribers, env, json_file, svg_directory, repeat, unpinned, no_nginx] =
      chosen;
  auto known = all_modes;
  known.emplace_back("all");
  app.add_option("modes", modes, "relay, relay-tls, saturate, fanout, idle, replay, post, churn, all (default: relay)")
      ->check(CLI::IsMember(known));
  app.add_option("--streams", streams, "relay, saturate: streams at a time, or several such: 1000,2000 (1000)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--rate", load.per_second, "relay, fanout: tokens per second of a stream (30)");
  app.add_option("--seconds", load.seconds, "measured, after the warm-up (10)");
  app.add_option("--warm-up", load.warm_up, "seconds (3)");
  app.add_option("--subscribers", subscribers, "idle (10000), fanout (1000,10000)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--connections", load.connections, "post: requests at a time (24)");
  app.add_option("--rounds", load.rounds, "replay: reads of each kind (300)");
  app.add_option("--minutes", load.minutes, "churn (2)");
  app.add_flag("--openai-sized", load.openai_sized, "upstream chunks of 323 bytes instead of about 180");
  app.add_option("--repeat", repeat, "the median of so many runs is reported (1)");
  app.add_option("--sync", setting.sync, "full or normal (full)")->check(CLI::IsMember({"full", "normal"}));
  app.add_option("--env", env, "NAME=VALUE for the relay, as TOKENRELAY_…; may be repeated");
  app.add_option("--binary", setting.binary, "the relay (" TOKENRELAY_BINARY ")");
  app.add_option("--dir", setting.directory, "where logs are written: on the disk to be measured (build directory)");
  app.add_option("--json", json_file, "also write all runs to this file");
  app.add_option("--svg", svg_directory, "also write charts into this directory");
  app.add_flag("--unpinned", unpinned, "do not pin: upstream and clients to core 0, server to core 1");
  app.add_flag("--no-nginx", no_nginx, "without nginx beside it");
}

using Mode = std::function<void(const Setting&, const Load&, Report&)>;
using Runs = std::vector<std::pair<Mode, Load>>;

std::vector<int> or_else(const std::vector<int>& chosen, const std::vector<int>& own) {
  return chosen.empty() ? own : chosen;
}

void add_runs(const std::string& mode, const Chosen& chosen, Runs& runs) {
  Load load = chosen.load;
  const auto each = [&](const Mode& what, int Load::*of, const std::vector<int>& values) {
    for (const int value : values) {
      load.*of = value;
      runs.emplace_back(what, load);
    }
  };
  const bool all = chosen.modes.front() == "all";
  const auto streams = or_else(chosen.streams, all ? std::vector{1000, 2000} : std::vector{1000});
  const auto clients = or_else(chosen.subscribers, {10'000});
  load.tls = mode == "relay-tls";
  if (mode == "relay" || mode == "relay-tls") each(run_relay, &Load::streams, streams);
  if (mode == "saturate") each(run_saturate, &Load::streams, {streams.front()});
  if (mode == "fanout") each(run_fanout, &Load::subscribers, or_else(chosen.subscribers, {1000, 10'000}));
  if (mode == "idle") {
    each(run_idle, &Load::subscribers, clients);
    load.tls = true;
    each(run_idle, &Load::subscribers, clients);
  }
  if (mode == "replay") runs.emplace_back(run_replay, load);
  if (mode == "post") runs.emplace_back(run_post, load);
  if (mode == "churn") runs.emplace_back(run_churn, load);
}

Runs runs_of(Chosen& chosen, Report& report) {
  chosen.load.nginx = !chosen.no_nginx && NginxServer::installed();
  if (!chosen.load.nginx && !chosen.no_nginx)
    report.note("nginx is not installed: nothing to compare with (apt-get install nginx-light)");
  Runs runs;
  for (const auto& mode : chosen.modes.front() == "all" ? all_modes : chosen.modes) add_runs(mode, chosen, runs);
  return runs;
}

void complete(Chosen& chosen) {
  chosen.setting.binary = std::filesystem::absolute(chosen.setting.binary);  // servers have their own directories
  chosen.setting.directory = std::filesystem::absolute(chosen.setting.directory);
  chosen.setting.pinned = !chosen.unpinned;
  for (const auto& entry : chosen.env) {
    const size_t equals = entry.find('=');
    if (equals == entry.npos) throw CLI::ValidationError("--env", entry + " is not NAME=VALUE");
    chosen.setting.env[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
}

// One that cannot run leaves the others their figures.
void attempt(const Mode& mode, const Setting& setting, const Load& load, Report& report) {
  try {
    mode(setting, load, report);
  } catch (const std::exception& error) {
    report.fault(std::string("a mode did not run: ") + error.what());
  }
}

int run(Chosen& chosen) {
  raise_descriptor_limit();
  stop_on_signals();
  std::filesystem::create_directories(chosen.setting.directory);
  const auto where = chosen.setting.pinned ? "pinned: upstream and clients on core 0, server on core 1" : "not pinned";
  Report report(machine_line(chosen.setting.directory) + "\n" + where + "; median of " + std::to_string(chosen.repeat));
  const auto runs = runs_of(chosen, report);
  run_on(chosen.setting.pinned ? Place::driver : Place::anywhere);
  double worst_load = load_now();
  for (int i = 0; i < chosen.repeat; ++i) {
    for (const auto& [mode, load] : runs) attempt(mode, chosen.setting, load, report);
    worst_load = std::max(worst_load, load_now());
  }
  if (worst_load > 2.5)
    report.note("The machine was busy (load " + std::to_string(worst_load) + "): latencies mean little.");
  const auto targets = table_of(targets_of(report, chosen.setting.sync), report.targets_hold());
  std::fputs((report.text() + targets).c_str(), stdout);
  if (!chosen.json_file.empty()) std::ofstream(chosen.json_file) << report.json();
  if (!chosen.svg_directory.empty()) {
    for (const auto& name : write_plots(report, chosen.svg_directory))
      std::printf("%s/%s\n", chosen.svg_directory.c_str(), name.c_str());
  }
  return report.faulty() ? 1 : 0;
}

// Takes half of the core that it shares with the server; its parent kills it.
[[noreturn]] void spin() {
  for (volatile uint64_t turns = 0;;) turns = turns + 1;
}

}  // namespace
}  // namespace tokenrelay::bench

int main(int argc, char** argv) {
  using namespace tokenrelay::bench;
  if (argc == 2 && std::string_view(argv[1]) == "spin") spin();
  if (argc == 4 && std::string_view(argv[1]) == "floor") return serve_floor(std::atof(argv[2]), std::atoi(argv[3]));
  Chosen chosen;
  chosen.setting.binary = TOKENRELAY_BINARY;
  chosen.setting.directory = TOKENRELAY_BUILD_DIR "/bench-logs";
  CLI::App app("tokenrelay's benchmark: see tests/bench/README.md");
  describe(app, chosen);
  try {
    app.parse(argc, argv);
    complete(chosen);
    return run(chosen);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const Stopped&) {
    return 130;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
