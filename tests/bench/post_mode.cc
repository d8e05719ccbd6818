// Durable POST /v1/streams: many connections, each sending its next request when the last was answered. The upstream
// answers at once with one delta, so that streams come and go: that work is in the figures.

#include <unistd.h>

#include <deque>

#include "tests/bench/client.h"
#include "tests/bench/modes.h"
#include "tests/bench/relay_server.h"
#include "tests/bench/requests.h"
#include "tests/support/fake_upstream_fleet.h"

namespace tokenrelay::bench {
namespace {

using support::monotonic_us;

struct Poster final : ResponseSink {
  Client* client = nullptr;
  Client::Connection connection = -1;
  int64_t sent_us = 0;
  int status = 0;
  std::vector<uint32_t>* latency_us = nullptr;  // while the window is open
  uint64_t created = 0, refused = 0;
  bool stop = false;

  void on_head(int got, std::string_view) override { status = got; }
  void on_body(std::string_view) override {}
  void on_complete() override {
    status == 201 ? ++created : ++refused;
    const int64_t now = monotonic_us();
    if (latency_us != nullptr) latency_us->push_back(static_cast<uint32_t>(now - sent_us));
    if (stop) return;
    sent_us = now;
    client->send(connection, create_stream(false));
  }
};

struct Posters {
  std::deque<Poster> all;
  uint64_t created() const {
    uint64_t sum = 0;
    for (const auto& p : all) sum += p.created;
    return sum;
  }
  uint64_t refused() const {
    uint64_t sum = 0;
    for (const auto& p : all) sum += p.refused;
    return sum;
  }
};

}  // namespace

void run_post(const Setting& setting, const Load& load, Report& report) {
  support::FakeUpstreamFleet fleet({.deltas = 1, .per_second = 0});
  const RelayServer server(setting, {fleet.port()});
  Client client;
  Posters posters;
  std::vector<uint32_t> latency_us;
  for (int i = 0; i < load.connections; ++i) {
    Poster& poster = posters.all.emplace_back();
    poster.client = &client;
    poster.sent_us = monotonic_us();
    poster.connection = client.open(server.at(), create_stream(false), poster);
  }
  client.run_for(std::min(load.warm_up, 2.0));
  for (auto& poster : posters.all) poster.latency_us = &latency_us;
  const uint64_t created_before = posters.created();
  const CpuTimes before = server.cpu(), driver_before = cpu_of(getpid());
  const int64_t from = monotonic_us();
  client.run_for(load.seconds);
  const double took = static_cast<double>(monotonic_us() - from) / 1e6;
  const CpuTimes cpu = cpu_between(before, server.cpu()), driver = cpu_between(driver_before, cpu_of(getpid()));
  const auto created = static_cast<double>(std::max<uint64_t>(1, posters.created() - created_before));
  for (auto& poster : posters.all) poster.stop = true;
  if (posters.refused() > 0) report.note("post: " + std::to_string(posters.refused()) + " requests were refused");
  if (client.lost() > 0) report.fault("post: " + std::to_string(client.lost()) + " connections were lost");
  report.add("post", std::to_string(load.connections) + " connections",
             {{"created/s", created / took},
              {"p50 ms", percentile(latency_us, 50) / 1000},
              {"p99 ms", percentile(latency_us, 99) / 1000},
              {"cpu us/stream", cpu.total / created},
              {"driver cpu %", driver.total / took / 1e4},
              {"refused", static_cast<double>(posters.refused())}});
}

}  // namespace tokenrelay::bench
