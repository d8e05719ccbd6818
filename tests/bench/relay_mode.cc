// Many streams at a human pace, through the server under test and, as a measure of the driver itself, some straight to
// the upstream in the same run. With TLS to the upstream, all three use it.

#include "tests/bench/crowd.h"
#include "tests/bench/modes.h"
#include "tests/bench/nginx_server.h"
#include "tests/bench/relay_server.h"
#include "tests/bench/requests.h"
#include "tests/support/fake_upstream_fleet.h"

namespace tokenrelay::bench {
namespace {

support::FakeUpstreamFleet::Options paced(const Load& load) {
  support::FakeUpstreamFleet::Options options;
  const double ramp = load.streams / (load.tls ? 500.0 : 2000.0) + 4;  // until the slowest has begun
  options.per_second = load.per_second;
  options.deltas = static_cast<int>(load.per_second * (ramp + load.warm_up + load.seconds));
  options.openai_sized = load.openai_sized;
  if (load.tls) options.tls = certificate();
  return options;
}

void add_rows(const std::string& mode, const std::string& name, Crowd& served, Crowd& direct, const Measured& measured,
              double stream_bytes, Report& report) {
  auto& window = served.window;
  const auto tokens = static_cast<double>(std::max<uint64_t>(window.deltas, 1));
  const double p50 = percentile(window.latency_us, 50) / 1000, p99 = percentile(window.latency_us, 99) / 1000;
  const double direct_p50 = percentile(direct.window.latency_us, 50) / 1000;
  const double direct_p99 = percentile(direct.window.latency_us, 99) / 1000;
  report.add(mode, name,
             {{"tokens/s", tokens / measured.seconds},
              {"cpu us/token", measured.cpu.total / tokens},
              {"cpu %", measured.cpu_percent()},
              {"added p50 ms", p50 - direct_p50},
              {"added p99 ms", p99 - direct_p99},
              {"p50 ms", p50},
              {"p99 ms", p99},
              {"direct p50 ms", direct_p50},
              {"direct p99 ms", direct_p99},
              {"merged %", 100 * (1 - static_cast<double>(window.events) / tokens)},
              {"KiB/stream", stream_bytes / 1024},
              {"driver cpu %", measured.driver_percent()}});
  report.draw(mode + " latency", name, distribution(window));
  for (const auto& thread : measured.cpu.threads) {
    if (thread.us / tokens >= 0.01)
      report.add("threads, us/token", mode + " " + name + " " + thread.name, {{"cpu", thread.us / tokens}});
  }
}

template <typename Server>
void run_through(const std::string& what, Dialect dialect, const std::string& request, const Setting& setting,
                 const Load& load, Report& report) {
  const std::string mode = load.tls ? "relay-tls" : "relay";
  const std::string name =
      what + " " + std::to_string(load.streams) + " x " + std::to_string(static_cast<int>(load.per_second)) + "/s";
  const auto options = paced(load);
  support::FakeUpstreamFleet fleet(options);
  const Endpoint upstream{fleet.port(), load.tls};
  const Server server(setting, upstream);
  Client client;
  Crowd served(dialect, server.at(), {request}), direct(Dialect::chat, upstream, {chat_request()});
  const double rss_before = memory_of(server.pid()).rss;
  served.open(client, load.streams, load.tls ? 10 : 50);
  direct.open(client, std::max(1, load.streams / 10));
  const bool begun = client.run([&] { return served.all_begun() && direct.all_begun(); }, 30);
  if (!begun) report.fault(mode + " " + name + ": not every stream has begun within 30 s");
  client.run_for(load.warm_up);
  const Measured measured = measure(client, server, {&served, &direct}, load.seconds);
  if (served.any_ended()) report.note(name + ": some streams ended before the measurement did; measure again");
  const double stream_bytes = (memory_of(server.pid()).rss - rss_before) / load.streams;
  client.run([&] { return served.all_ended() && direct.all_ended(); }, 30 + load.seconds);
  served.check(mode + " " + name, static_cast<uint64_t>(options.deltas), report);
  direct.check(mode + " direct", static_cast<uint64_t>(options.deltas), report);
  add_rows(mode, name, served, direct, measured, stream_bytes, report);
}

}  // namespace

void run_relay(const Setting& setting, const Load& load, Report& report) {
  run_through<RelayServer>("relay", Dialect::relay, create_stream(true), setting, load, report);
  if (load.nginx) run_through<NginxServer>("nginx", Dialect::chat, chat_request(), setting, load, report);
}

}  // namespace tokenrelay::bench
