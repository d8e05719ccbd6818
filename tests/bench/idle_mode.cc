// Many clients of streams that say nothing: what one costs in resident memory. The relay's follow live streams with
// heartbeats on; beside them the same through nginx as a proxy, and nchan's subscribers.

#include <string>

#include "tests/bench/crowd.h"
#include "tests/bench/machine.h"
#include "tests/bench/modes.h"
#include "tests/bench/nginx_server.h"
#include "tests/bench/relay_server.h"
#include "tests/bench/requests.h"
#include "tests/support/fake_upstream_fleet.h"

namespace tokenrelay::bench {
namespace {

constexpr int quiet_streams = 10;

support::FakeUpstreamFleet::Options silent() {
  return {.deltas = 1, .per_second = 0.0005, .random_phase = false};  // the first in 2000 s
}

// All clients are in this process, and their proxy's upstream too: `per_client` descriptors for each.
int audience_size(const Load& load, int per_client, Report& report) {
  const int possible = (static_cast<int>(descriptor_limit()) - 1000) / per_client;
  if (load.subscribers <= possible) return load.subscribers;
  report.note("idle: only " + std::to_string(possible) + " of " + std::to_string(load.subscribers) +
              " clients where each takes " + std::to_string(per_client) + " descriptors: the limit");
  return possible;
}

struct Idle {
  Idle(std::string row, const Served& on, Crowd& of) : name(std::move(row)), server(on), crowd(of) {}

  // Opens them and waits until `joined` holds for each.
  template <typename Joined>
  void open(int clients, Joined joined, Report& report) {
    before = memory_of(server.pid());
    count = clients;
    crowd.open(client, count, crowd.to.tls ? 10 : 50);
    if (!client.run([&] { return crowd.all(joined); }, 60)) fault("not all were answered", report);
    settled = memory_of(server.pid());
  }
  void fault(const std::string& what, Report& report) const {
    const std::string whole = "idle " + name + ": " + what;
    name.starts_with("relay") ? report.fault(whole) : report.peer_fault(whole);
  }
  void add_row(double cpu_percent, Report& report) {
    const Memory after = memory_of(server.pid());
    if (client.lost() > 0) fault(std::to_string(client.lost()) + " connections lost", report);
    report.add("idle", name + " " + std::to_string(count),
               {{"B/client", (after.rss - before.rss) / count},
                {"B before heartbeats", (settled.rss - before.rss) / count},
                {"private B", (after.private_dirty - before.private_dirty) / count},
                {"RSS before MiB", before.rss / (1 << 20)},
                {"RSS after MiB", after.rss / (1 << 20)},
                {"cpu %", cpu_percent}});
  }

  const std::string name;
  const Served& server;
  Crowd& crowd;
  Client client;
  int count = 0;
  Memory before, settled;
};

void run_on_relay(const Setting& setting, const Load& load, Report& report) {
  support::FakeUpstreamFleet fleet(silent());
  const RelayServer server(setting, {fleet.port()}, load.tls);
  std::vector<std::string> requests;
  for (int i = 0; i < quiet_streams; ++i) requests.push_back(read_stream(new_stream(server.at())));
  Crowd crowd(Dialect::relay, server.at(), std::move(requests));
  Idle idle(load.tls ? "relay tls" : "relay", server, crowd);
  idle.open(
      audience_size(load, 1, report), [](const SseCheck& r) { return r.resumed(); }, report);
  const CpuTimes before = server.cpu();
  const int64_t from = support::monotonic_us();
  const bool beaten =
      idle.client.run([&] { return crowd.all([](const SseCheck& r) { return r.heartbeats() >= 2; }); }, 45);
  if (!beaten) report.fault("idle " + idle.name + ": not every client got two heartbeats in 45 s");
  const double took_us = static_cast<double>(support::monotonic_us() - from);
  idle.add_row(100 * cpu_between(before, server.cpu()).total / took_us, report);
}

void run_on_nginx(const Setting& setting, const Load& load, Report& report) {
  support::FakeUpstreamFleet fleet(silent());
  const NginxServer server(setting, {fleet.port()}, load.tls);
  Crowd crowd(Dialect::chat, server.at(), {chat_request()});
  Idle idle(load.tls ? "nginx tls" : "nginx", server, crowd);
  idle.open(
      audience_size(load, 2, report), [](const SseCheck& r) { return r.answered(); }, report);
  idle.add_row(0, report);
}

void run_on_nchan(const Setting& setting, const Load& load, Report& report) {
  const NginxServer server(setting, NginxServer::Nchan());
  Crowd crowd(Dialect::nchan, server.at(),
              {"GET /sub HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n"});
  Idle idle("nchan", server, crowd);
  idle.open(
      audience_size(load, 1, report), [](const SseCheck& r) { return r.answered(); }, report);
  idle.add_row(0, report);
}

}  // namespace

void run_idle(const Setting& setting, const Load& load, Report& report) {
  run_on_relay(setting, load, report);
  if (!load.nginx) return;
  run_on_nginx(setting, load, report);
  if (!load.tls && NginxServer::has_nchan()) run_on_nchan(setting, load, report);
}

}  // namespace tokenrelay::bench
