// One stream, many subscribers: what an event costs in CPU. Beside it nchan with one channel, and the floor: a loop
// that only writes.

#include "tests/bench/crowd.h"
#include "tests/bench/floor_server.h"
#include "tests/bench/modes.h"
#include "tests/bench/nchan_publisher.h"
#include "tests/bench/nginx_server.h"
#include "tests/bench/relay_server.h"
#include "tests/bench/requests.h"
#include "tests/support/fake_upstream_fleet.h"

namespace tokenrelay::bench {
namespace {

constexpr double deliveries = 60'000;  // a second, at most: what a core can deliver is not the question

struct Pace {
  explicit Pace(const Load& load)
      : count(load.subscribers),
        per_second(std::min(load.per_second, deliveries / load.subscribers)),
        joining(load.subscribers / 4000.0 + 2),
        deltas(static_cast<int>(per_second * (joining + load.warm_up + load.seconds))) {}
  std::string row(const std::string& what) const {
    return what + " " + std::to_string(count) + " x " + std::to_string(static_cast<int>(per_second)) + "/s";
  }
  int count;
  double per_second;
  double joining;  // seconds, until all are there
  int deltas;
};

void run_with(const std::string& what, const Served& server, Client& client, Crowd& crowd, const Pace& pace,
              const Load& load, Report& report) {
  const std::string name = "fanout " + what;
  client.run([&] { return crowd.all([](const SseCheck& r) { return r.deltas() > 0; }); }, 30);
  client.run_for(load.warm_up);
  const Measured measured = measure(client, server, {&crowd}, load.seconds);
  if (crowd.any_ended()) report.note(name + ": the stream ended before the measurement did; measure again");
  client.run([&] { return crowd.all_ended(); }, 30 + load.seconds);
  crowd.check(name, static_cast<uint64_t>(pace.deltas), report);
  auto& window = crowd.window;
  const auto events = static_cast<double>(std::max<uint64_t>(window.events, 1));
  report.draw("fanout latency", pace.row(what), distribution(window));
  report.add("fanout", pace.row(what),
             {{"events/s", events / measured.seconds},
              {"cpu us/event", measured.cpu.total / events},
              {"cpu %", measured.cpu_percent()},
              {"p50 ms", percentile(window.latency_us, 50) / 1000},
              {"p99 ms", percentile(window.latency_us, 99) / 1000},
              {"merged %", 100 * (1 - events / static_cast<double>(std::max<uint64_t>(window.deltas, 1)))},
              {"driver cpu %", measured.driver_percent()}});
}

void run_on_relay(const Setting& setting, const Load& load, const Pace& pace, Report& report) {
  support::FakeUpstreamFleet fleet({.deltas = pace.deltas, .per_second = pace.per_second});
  const RelayServer server(setting, {fleet.port()});
  Client client;
  Crowd crowd(Dialect::relay, server.at(), {read_stream(new_stream(server.at()))});
  crowd.open(client, pace.count);
  run_with("relay", server, client, crowd, pace, load, report);
}

const std::string subscribe = "GET /sub HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n";

// Those who come late would miss what was said before.
void all_join(Client& client, Crowd& crowd, int count, Report& report) {
  crowd.open(client, count);
  if (!client.run([&] { return crowd.all([](const SseCheck& r) { return r.answered(); }); }, 30))
    report.fault("fanout: not every subscriber was answered");
}

void run_on_nchan(const Setting& setting, const Load& load, const Pace& pace, Report& report) {
  const NginxServer server(setting, NginxServer::Nchan());
  Client client;
  Crowd crowd(Dialect::nchan, server.at(), {subscribe});
  all_join(client, crowd, pace.count, report);
  const NchanPublisher publisher(server.at(), pace.per_second, pace.deltas);
  run_with("nchan", server, client, crowd, pace, load, report);
  if (publisher.failed()) report.fault("fanout nchan: a message was not taken");
}

void run_on_floor(const Setting& setting, const Load& load, const Pace& pace, Report& report) {
  const FloorServer server(setting, pace.per_second, pace.deltas);
  Client client;
  Crowd crowd(Dialect::relay, server.at(), {subscribe});
  all_join(client, crowd, pace.count, report);
  struct Sink final : ResponseSink {
    void on_head(int, std::string_view) override {}
    void on_body(std::string_view) override {}
    void on_complete() override {}
  } sink;
  client.open(server.at(), "POST /begin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", sink);
  run_with("write() alone", server, client, crowd, pace, load, report);
}

}  // namespace

void run_fanout(const Setting& setting, const Load& load, Report& report) {
  const Pace pace(load);
  run_on_relay(setting, load, pace, report);
  if (load.nginx && NginxServer::has_nchan()) {
    run_on_nchan(setting, load, pace, report);
  } else if (load.nginx) {
    report.note("nchan is not installed (apt-get install libnginx-mod-nchan)");
  }
  run_on_floor(setting, load, pace, report);
}

}  // namespace tokenrelay::bench
