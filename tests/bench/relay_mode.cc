// Many streams at a human pace, through the server under test and, as a measure of the driver itself, some straight to
// the upstream in the same run.

#include <unistd.h>

#include <algorithm>
#include <deque>

#include "tests/bench/client.h"
#include "tests/bench/modes.h"
#include "tests/bench/sse_check.h"
#include "tests/support/fake_upstream_fleet.h"

namespace tokenrelay::bench {
namespace {

struct Group {
  Group(Dialect of, uint16_t to, std::string with) : dialect(of), port(to), request(std::move(with)) {}

  const Dialect dialect;
  const uint16_t port;
  const std::string request;
  Window window;
  std::deque<SseCheck> readers;

  // In small steps: a thousand at once would measure the accept queue.
  void open(Client& client, int count) {
    for (int i = 0; i < count; ++i) {
      client.open(port, request, readers.emplace_back(dialect, window));
      if (i % 50 == 49) client.run_for(0.005);
    }
  }
  bool all_begun() const {
    return std::all_of(readers.begin(), readers.end(), [](const SseCheck& r) { return r.deltas() > 0 || r.ended(); });
  }
  bool any_ended() const {
    return std::any_of(readers.begin(), readers.end(), [](const SseCheck& r) { return r.ended(); });
  }
  bool all_ended() const {
    return std::all_of(readers.begin(), readers.end(), [](const SseCheck& r) { return r.ended(); });
  }
};

support::FakeUpstreamFleet::Options paced(const Load& load) {
  support::FakeUpstreamFleet::Options options;
  const double ramp = load.streams / 2000.0 + 4;  // until the slowest has begun
  options.per_second = load.per_second;
  options.deltas = static_cast<int>(load.per_second * (ramp + load.warm_up + load.seconds));
  options.openai_sized = load.openai_sized;
  return options;
}

void check(const Group& group, const std::string& name, uint64_t deltas, Report& report) {
  for (const auto& reader : group.readers) {
    if (const auto fault = reader.fault(deltas); !fault.empty()) report.fault(name + ": " + fault);
  }
}

struct Measured {
  CpuTimes cpu, driver;
  double seconds = 0;
};

Measured measure(Client& client, const Served& served, std::initializer_list<Group*> groups, double seconds) {
  const CpuTimes before = served.cpu(), driver_before = cpu_of(getpid());
  const int64_t from = support::monotonic_us();
  for (Group* group : groups) group->window.open = true;
  client.run_for(seconds);
  for (Group* group : groups) group->window.open = false;
  const double took = static_cast<double>(support::monotonic_us() - from) / 1e6;
  return {cpu_between(before, served.cpu()), cpu_between(driver_before, cpu_of(getpid())), took};
}

void add_rows(const std::string& name, Group& served, Group& direct, const Measured& measured, double stream_bytes,
              Report& report) {
  auto& window = served.window;
  const auto tokens = static_cast<double>(std::max<uint64_t>(window.deltas, 1));
  const double p50 = percentile(window.latency_us, 50) / 1000, p99 = percentile(window.latency_us, 99) / 1000;
  const double direct_p50 = percentile(direct.window.latency_us, 50) / 1000;
  const double direct_p99 = percentile(direct.window.latency_us, 99) / 1000;
  report.add("relay", name,
             {{"tokens/s", tokens / measured.seconds},
              {"cpu us/token", measured.cpu.total / tokens},
              {"cpu %", measured.cpu.total / measured.seconds / 1e4},
              {"added p50 ms", p50 - direct_p50},
              {"added p99 ms", p99 - direct_p99},
              {"p50 ms", p50},
              {"p99 ms", p99},
              {"direct p50 ms", direct_p50},
              {"direct p99 ms", direct_p99},
              {"merged %", 100 * (1 - static_cast<double>(window.events) / tokens)},
              {"KiB/stream", stream_bytes / 1024},
              {"driver cpu %", measured.driver.total / measured.seconds / 1e4}});
  for (const auto& thread : measured.cpu.threads) {
    if (thread.us / tokens >= 0.01)
      report.add("threads, us/token", name + " " + thread.name, {{"cpu", thread.us / tokens}});
  }
}

template <typename Server>
void run_through(const std::string& name, Dialect dialect, const std::string& request, const Setting& setting,
                 const Load& load, Report& report) {
  const auto options = paced(load);
  support::FakeUpstreamFleet fleet(options);
  const Server server(setting, fleet.port());
  Client client;
  Group served(dialect, server.port(), request), direct(Dialect::chat, fleet.port(), chat_request());
  const double rss_before = memory_of(server.pid()).rss;
  served.open(client, load.streams);
  direct.open(client, std::max(1, load.streams / 10));
  const bool begun = client.run([&] { return served.all_begun() && direct.all_begun(); }, 30);
  if (!begun) report.fault(name + ": not every stream has begun within 30 s");
  client.run_for(load.warm_up);
  const Measured measured = measure(client, server, {&served, &direct}, load.seconds);
  if (served.any_ended()) report.note(name + ": some streams ended before the measurement did; measure again");
  const double stream_bytes = (memory_of(server.pid()).rss - rss_before) / load.streams;
  client.run([&] { return served.all_ended() && direct.all_ended(); }, 30 + load.seconds);
  check(served, name, static_cast<uint64_t>(options.deltas), report);
  check(direct, "direct", static_cast<uint64_t>(options.deltas), report);
  add_rows(name, served, direct, measured, stream_bytes, report);
}

std::string row_name(const std::string& what, const Load& load) {
  return what + " " + std::to_string(load.streams) + " x " + std::to_string(static_cast<int>(load.per_second)) + "/s";
}

}  // namespace

void run_relay(const Setting& setting, const Load& load, Report& report) {
  run_through<RelayServer>(row_name(setting.sync, load), Dialect::relay, create_stream(true), setting, load, report);
}

void run_nginx(const Setting& setting, const Load& load, Report& report) {
  run_through<NginxServer>(row_name("nginx", load), Dialect::chat, chat_request(), setting, load, report);
}

}  // namespace tokenrelay::bench
