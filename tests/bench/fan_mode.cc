// Many subscribers: of streams that say nothing (what does one cost in memory), and of one that talks (what does an
// event cost in CPU).

#include <algorithm>
#include <deque>

#include "tests/bench/client.h"
#include "tests/bench/machine.h"
#include "tests/bench/modes.h"
#include "tests/bench/sse_check.h"
#include "tests/support/fake_upstream_fleet.h"

namespace tokenrelay::bench {
namespace {

constexpr int quiet_streams = 10;

struct Audience {
  Window window;
  std::deque<SseCheck> readers;

  void open(Client& client, uint16_t port, const std::vector<std::string>& streams, int count) {
    for (int i = 0; i < count; ++i) {
      const auto& stream = streams[static_cast<size_t>(i) % streams.size()];
      client.open(port, read_stream(stream), readers.emplace_back(Dialect::relay, window));
      if (i % 100 == 99) client.run_for(0.01);
    }
  }
  template <typename Has>
  bool all(Has has) const {
    return std::all_of(readers.begin(), readers.end(), has);
  }
};

// All clients are in this process.
int audience_size(const Load& load, Report& report) {
  const int wanted = load.subscribers > 0 ? load.subscribers : 10'000;
  const int possible = static_cast<int>(descriptor_limit()) - 1000;
  if (wanted <= possible) return wanted;
  report.note("only " + std::to_string(possible) + " subscribers: the descriptor limit");
  return possible;
}

std::vector<std::string> quiet(uint16_t port) {
  std::vector<std::string> streams;
  for (int i = 0; i < quiet_streams; ++i) streams.push_back(new_stream(port));
  return streams;
}

}  // namespace

void run_idle(const Setting& setting, const Load& load, Report& report) {
  support::FakeUpstreamFleet fleet({.deltas = 1, .per_second = 0.0005, .random_phase = false});  // the first in 2000 s
  const RelayServer server(setting, fleet.port());
  const int count = audience_size(load, report);
  const auto streams = quiet(server.port());
  Client client;
  Audience audience;
  const Memory before = memory_of(server.pid());
  audience.open(client, server.port(), streams, count);
  const bool joined = client.run([&] { return audience.all([](const SseCheck& r) { return r.resumed(); }); }, 60);
  if (!joined) report.fault("idle: not every subscriber got its verdict");
  const Memory settled = memory_of(server.pid());
  const CpuTimes cpu = server.cpu();
  const int64_t from = support::monotonic_us();
  const bool beaten =
      client.run([&] { return audience.all([](const SseCheck& r) { return r.heartbeats() >= 2; }); }, 45);
  if (!beaten) report.fault("idle: not every subscriber got two heartbeats in 45 s");
  const double took = static_cast<double>(support::monotonic_us() - from) / 1e6;
  const Memory after = memory_of(server.pid());
  if (client.lost() > 0) report.fault("idle: " + std::to_string(client.lost()) + " connections were lost");
  report.add("idle", std::to_string(count) + " subscribers",
             {{"B/subscriber", (after.rss - before.rss) / count},
              {"B before heartbeats", (settled.rss - before.rss) / count},
              {"private B", (after.private_dirty - before.private_dirty) / count},
              {"RSS before MiB", before.rss / (1 << 20)},
              {"RSS after MiB", after.rss / (1 << 20)},
              {"cpu %", cpu_between(cpu, server.cpu()).total / took / 1e4}});
}

void run_fanout(const Setting& setting, const Load& load, Report& report) {
  const int count = load.subscribers > 0 ? load.subscribers : 1000;
  const double ramp = count / 5000.0 + 2;
  support::FakeUpstreamFleet fleet({.deltas = static_cast<int>(load.per_second * (ramp + load.warm_up + load.seconds)),
                                    .per_second = load.per_second});
  const RelayServer server(setting, fleet.port());
  Client client;
  Audience audience;
  audience.open(client, server.port(), {new_stream(server.port())}, count);
  client.run([&] { return audience.all([](const SseCheck& r) { return r.deltas() > 0; }); }, 30);
  client.run_for(load.warm_up);
  const CpuTimes before = server.cpu();
  const int64_t from = support::monotonic_us();
  audience.window.open = true;
  client.run_for(load.seconds);
  audience.window.open = false;
  const double took = static_cast<double>(support::monotonic_us() - from) / 1e6;
  const CpuTimes cpu = cpu_between(before, server.cpu());
  client.run([&] { return audience.all([](const SseCheck& r) { return r.ended(); }); }, 30 + load.seconds);
  const auto sent = fleet.deltas_sent();
  for (const auto& reader : audience.readers) {
    if (const auto fault = reader.fault(sent); !fault.empty()) report.fault("fanout: " + fault);
  }
  auto& window = audience.window;
  const auto events = static_cast<double>(std::max<uint64_t>(window.events, 1));
  report.add("fanout", std::to_string(count) + " x " + std::to_string(static_cast<int>(load.per_second)) + "/s",
             {{"events/s", events / took},
              {"cpu us/event", cpu.total / events},
              {"cpu %", cpu.total / took / 1e4},
              {"p50 ms", percentile(window.latency_us, 50) / 1000},
              {"p99 ms", percentile(window.latency_us, 99) / 1000},
              {"merged %", 100 * (1 - events / static_cast<double>(std::max<uint64_t>(window.deltas, 1)))}});
}

}  // namespace tokenrelay::bench
