// The benchmark's command line; README.md says what it measures.

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <functional>

#include "tests/bench/machine.h"
#include "tests/bench/modes.h"

namespace tokenrelay::bench {
namespace {

struct Chosen {
  Setting setting;
  Load load;
  std::vector<std::string> modes = {"relay"};
  std::vector<std::string> env;
  std::string json_file;
  int repeat = 1;
  bool unpinned = false, no_nginx = false;
};

void describe(CLI::App& app, Chosen& chosen) {
  auto& [setting, load, modes, env, json_file, repeat, unpinned, no_nginx] = chosen;
  app.add_option("modes", modes, "relay, idle, fanout, replay, post, all (default: relay)")
      ->check(CLI::IsMember({"relay", "idle", "fanout", "replay", "post", "all"}));
  app.add_option("--streams", load.streams, "relay: streams at a time (1000)");
  app.add_option("--rate", load.per_second, "relay, fanout: tokens per second of a stream (30)");
  app.add_option("--seconds", load.seconds, "measured, after the warm-up (10)");
  app.add_option("--warm-up", load.warm_up, "seconds (3)");
  app.add_option("--subscribers", load.subscribers, "idle (10000), fanout (1000)");
  app.add_option("--connections", load.connections, "post: requests at a time (32)");
  app.add_option("--rounds", load.rounds, "replay: reads of each kind (300)");
  app.add_flag("--openai-sized", load.openai_sized, "upstream chunks of 323 bytes instead of about 180");
  app.add_option("--repeat", repeat, "the median of so many runs is reported (1)");
  app.add_option("--sync", setting.sync, "full or normal (full)")->check(CLI::IsMember({"full", "normal"}));
  app.add_option("--env", env, "TOKENRELAY_NAME=VALUE for the relay; may be repeated");
  app.add_option("--binary", setting.binary, "the relay (" TOKENRELAY_BINARY ")");
  app.add_option("--dir", setting.directory, "where logs are written: on the disk to be measured (build directory)");
  app.add_option("--json", json_file, "also write all runs to this file");
  app.add_flag("--unpinned", unpinned, "do not pin: upstream and clients to core 0, server to core 1");
  app.add_flag("--no-nginx", no_nginx, "relay: without nginx beside it");
}

using Mode = std::function<void(const Setting&, const Load&, Report&)>;

std::vector<Mode> modes_of(const Chosen& chosen, Report& report) {
  const auto wanted = [&](const char* name) {
    const auto& modes = chosen.modes;
    return std::find(modes.begin(), modes.end(), name) != modes.end() || modes.front() == "all";
  };
  std::vector<Mode> modes;
  if (wanted("relay")) {
    modes.emplace_back(run_relay);
    const bool nginx = !chosen.no_nginx && NginxServer::installed();
    if (nginx) modes.emplace_back(run_nginx);
    if (!nginx && !chosen.no_nginx)
      report.note("nginx is not installed: nothing to compare with (apt-get install nginx-light)");
  }
  if (wanted("idle")) modes.emplace_back(run_idle);
  if (wanted("fanout")) modes.emplace_back(run_fanout);
  if (wanted("replay")) modes.emplace_back(run_replay);
  if (wanted("post")) modes.emplace_back(run_post);
  return modes;
}

void complete(Chosen& chosen) {
  chosen.setting.pinned = !chosen.unpinned;
  for (const auto& entry : chosen.env) {
    const size_t equals = entry.find('=');
    if (equals == entry.npos) throw CLI::ValidationError("--env", entry + " is not NAME=VALUE");
    chosen.setting.env[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
}

int run(Chosen& chosen) {
  raise_descriptor_limit();
  std::filesystem::create_directories(chosen.setting.directory);
  const auto where = chosen.setting.pinned ? "pinned: upstream and clients on core 0, server on core 1" : "not pinned";
  Report report(machine_line(chosen.setting.directory) + "\n" + where + "; median of " + std::to_string(chosen.repeat));
  const auto modes = modes_of(chosen, report);
  run_on(chosen.setting.pinned ? Place::driver : Place::anywhere);
  double worst_load = load_now();
  for (int i = 0; i < chosen.repeat; ++i) {
    for (const auto& mode : modes) mode(chosen.setting, chosen.load, report);
    worst_load = std::max(worst_load, load_now());
  }
  if (worst_load > 2.5)
    report.note("The machine was busy (load " + std::to_string(worst_load) + "): latencies mean little.");
  std::fputs(report.text().c_str(), stdout);
  if (!chosen.json_file.empty()) std::ofstream(chosen.json_file) << report.json();
  return report.faulty() ? 1 : 0;
}

}  // namespace
}  // namespace tokenrelay::bench

int main(int argc, char** argv) {
  using namespace tokenrelay::bench;
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
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench: %s\n", error.what());
    return 1;
  }
}
