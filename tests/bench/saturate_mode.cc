// How many tokens a second a server keeps up with on its one core: the upstream's rate is raised step by step until
// what clients read lags behind what was sent. Then the relay past that point, with merging allowed: at the same rate
// on half a core, which is further than this process could drive it.

#include <csignal>

#include "tests/bench/crowd.h"
#include "tests/bench/modes.h"
#include "tests/bench/nginx_server.h"
#include "tests/bench/relay_server.h"
#include "tests/bench/requests.h"
#include "tests/support/fake_upstream_fleet.h"

namespace tokenrelay::bench {
namespace {

constexpr double factor = 1.1;       // from step to step
constexpr int steps = 24;            // so at most 9 times the first rate
constexpr double late_ms = 100;      // p99 of a delta
constexpr double least_read = 0.97;  // of what was sent meanwhile
constexpr double driver_full = 95;   // per cent of its core
constexpr double least_sent = 0.95;  // of what it should have sent

struct Step {
  double sent = 0, read = 0;  // per second
  double p99_ms = 0, merged = 0;
  Measured measured;
  bool kept_up() const { return read >= least_read * sent && p99_ms < late_ms; }
};

// One server with its streams, at whatever rate.
struct Run {
  Run(const Served& on, support::FakeUpstreamFleet& from, Dialect dialect, std::string request)
      : served(on), fleet(from), crowd(dialect, on.at(), {std::move(request)}) {}

  void begin(int streams, const std::string& name, Report& report) {
    crowd.open(client, streams);
    if (!client.run([&] { return crowd.all_begun(); }, 30)) report.fault(name + ": not every stream has begun");
  }
  Step step(double per_second, double seconds) {
    fleet.set_per_second(per_second);
    client.run_for(1);
    crowd.window = {};
    const uint64_t before = fleet.deltas_sent();
    Step step;
    step.measured = measure(client, served, {&crowd}, seconds);
    step.sent = static_cast<double>(fleet.deltas_sent() - before) / step.measured.seconds;
    step.read = static_cast<double>(crowd.window.deltas) / step.measured.seconds;
    step.p99_ms = percentile(crowd.window.latency_us, 99) / 1000;
    const auto deltas = static_cast<double>(std::max<uint64_t>(crowd.window.deltas, 1));
    step.merged = 100 * (1 - static_cast<double>(crowd.window.events) / deltas);
    return step;
  }
  // Slowly again, until all is read and whole.
  void end(double per_second, const std::string& name, Report& report) {
    fleet.set_per_second(per_second);
    client.run_for(1);
    const uint64_t deltas = fleet.end_together();
    client.run([&] { return crowd.all_ended(); }, 60);
    crowd.check(name, deltas, report);
  }

  const Served& served;
  support::FakeUpstreamFleet& fleet;
  Client client;
  Crowd crowd;
};

support::FakeUpstreamFleet::Options endless(const Load& load) {
  return {.deltas = 1 << 30, .per_second = load.per_second, .openai_sized = load.openai_sized};
}

void add_row(const std::string& name, const Step& step, Report& report) {
  report.add("saturate", name,
             {{"tokens/s", step.read},
              {"sent/s", step.sent},
              {"p99 ms", step.p99_ms},
              {"cpu %", step.measured.cpu_percent()},
              {"cpu us/token", step.measured.cpu.total / step.measured.seconds / std::max(1.0, step.read)},
              {"merged %", step.merged},
              {"driver cpu %", step.measured.driver_percent()}});
}

// The last step that was kept up with.
template <typename Server>
Step climb(const std::string& name, Dialect dialect, const std::string& request, const Setting& setting,
           const Load& load, Report& report) {
  support::FakeUpstreamFleet fleet(endless(load));
  const Server server(setting, {fleet.port()});
  Run run(server, fleet, dialect, request);
  run.begin(load.streams, "saturate " + name, report);
  run.client.run_for(load.warm_up);
  Step best;
  Report::Curve cpu, latency;
  double rate = load.per_second;
  int failed = 0;
  std::string limit;
  for (int i = 0; i < steps && failed < 2; ++i, rate *= factor) {
    const Step step = run.step(rate, std::min(load.seconds, 4.0));
    const double wanted = rate * load.streams;
    cpu.emplace_back(wanted, step.measured.cpu_percent());
    latency.emplace_back(wanted, step.p99_ms);
    failed = step.kept_up() ? 0 : failed + 1;
    if (step.kept_up() && step.read > best.read) best = step;
    if (step.measured.driver_percent() > driver_full) limit = "this process's core was full too";
    if (step.sent >= least_sent * wanted) continue;
    if (limit.empty()) limit = "others took this process's core";
    break;
  }
  if (!limit.empty()) report.note("saturate " + name + ": " + limit + ": the server may keep up with more");
  run.end(load.per_second, "saturate " + name, report);
  report.draw("saturation cpu", name, cpu);
  report.draw("saturation p99", name, latency);
  add_row(name, best, report);
  return best;
}

}  // namespace

void run_saturate(const Setting& setting, const Load& load, Report& report) {
  const Step kept =
      climb<RelayServer>("relay coalesce=0", Dialect::relay, create_stream(true, false), setting, load, report);
  if (load.nginx) climb<NginxServer>("nginx", Dialect::chat, chat_request(), setting, load, report);
  support::FakeUpstreamFleet fleet(endless(load));
  const RelayServer server(setting, {fleet.port()});
  Run run(server, fleet, Dialect::relay, create_stream(true));
  run.begin(load.streams, "saturate past", report);
  const auto rival = start_on_server_core(setting, {.argv = {"/proc/self/exe", "spin"}});
  const double rate = std::max(kept.sent, load.per_second * load.streams) / load.streams;
  add_row("relay on half a core", run.step(rate, load.seconds), report);
  rival->signal(SIGKILL);
  run.end(load.per_second, "saturate past", report);
}

}  // namespace tokenrelay::bench
