// A finished stream of 1,000 tokens read again, and a thousand readers who come back at once after a restart.

#include <deque>

#include "tests/bench/client.h"
#include "tests/bench/modes.h"
#include "tests/bench/relay_server.h"
#include "tests/bench/requests.h"
#include "tests/bench/sse_check.h"
#include "tests/support/fake_upstream_fleet.h"

namespace tokenrelay::bench {
namespace {

constexpr int tokens = 1000;
constexpr int storm = 1000;

using support::monotonic_us;

struct Reads {
  std::vector<uint32_t> us;
  uint64_t events = 0;
};

// One after another, each over a connection that is there already, as a browser's would be.
Reads read_again(Endpoint to, const std::string& stream, bool coalesce, int rounds, Report& report) {
  Client client;
  Reads reads;
  Window window;
  struct Sink final : ResponseSink {
    std::unique_ptr<SseCheck> check;
    void on_head(int status, std::string_view head) override { check->on_head(status, head); }
    void on_body(std::string_view bytes) override { check->on_body(bytes); }
    void on_complete() override { check->on_complete(); }
  } sink;
  Client::Connection connection = -1;
  for (int i = 0; i < rounds; ++i) {
    sink.check = std::make_unique<SseCheck>(Dialect::relay, window);
    const int64_t from = monotonic_us();
    if (connection < 0) {
      connection = client.open(to, read_stream(stream, "", coalesce), sink);
    } else {
      client.send(connection, read_stream(stream, "", coalesce));
    }
    client.run([&] { return sink.check->ended() || client.lost() > 0; }, 10);
    reads.us.push_back(static_cast<uint32_t>(monotonic_us() - from));
    reads.events = sink.check->events();
    if (const auto fault = sink.check->fault(tokens); !fault.empty()) return report.fault("replay: " + fault), reads;
  }
  return reads;
}

void add_row(const std::string& name, Reads reads, Report& report) {
  const double first = reads.us.front();
  report.add("replay", name,
             {{"events", static_cast<double>(reads.events)},
              {"p50 ms", percentile(reads.us, 50) / 1000},
              {"p99 ms", percentile(reads.us, 99) / 1000},
              {"first ms", first / 1000}});
}

void run_storm(const RelayServer& server, const std::string& stream, const std::string& last_id, Report& report) {
  Client client;
  Window window;
  std::deque<SseCheck> readers;
  const CpuTimes before = server.cpu();
  const int64_t from = monotonic_us();
  for (int i = 0; i < storm; ++i) {
    client.open(server.at(), read_stream(stream, last_id), readers.emplace_back(Dialect::relay, window));
  }
  client.run([&] { return std::all_of(readers.begin(), readers.end(), [](const SseCheck& r) { return r.ended(); }); },
             30);
  const double took_ms = static_cast<double>(monotonic_us() - from) / 1000;
  for (const auto& reader : readers) {
    if (const auto fault = reader.fault(tokens / 2); !fault.empty()) report.fault("storm: " + fault);
  }
  report.add("storm", std::to_string(storm) + " readers, half a stream",
             {{"all served ms", took_ms},
              {"cpu ms", cpu_between(before, server.cpu()).total / 1000},
              {"start ms", server.start_ms()}});
}

}  // namespace

void run_replay(const Setting& setting, const Load& load, Report& report) {
  support::FakeUpstreamFleet fleet({.deltas = tokens, .per_second = 2000});
  RelayServer server(setting, {fleet.port()});
  const std::string stream = new_stream(server.at());
  Window window;
  SseCheck first(Dialect::relay, window);
  {
    Client client;
    client.open(server.at(), read_stream(stream), first);
    client.run([&] { return first.ended(); }, 60);
  }
  if (const auto fault = first.fault(tokens); !fault.empty()) return report.fault("replay: " + fault);
  add_row("merged", read_again(server.at(), stream, true, load.rounds, report), report);
  add_row("coalesce=0", read_again(server.at(), stream, false, load.rounds, report), report);
  server.restart();
  add_row("after a restart", read_again(server.at(), stream, true, load.rounds, report), report);
  add_row("… coalesce=0", read_again(server.at(), stream, false, load.rounds, report), report);
  server.restart();
  // start is 1, so the middle is the event with seq 1 + tokens / 2.
  const std::string middle =
      first.last_id().substr(0, first.last_id().find('-')) + "-" + std::to_string(1 + tokens / 2);
  run_storm(server, stream, middle, report);
}

}  // namespace tokenrelay::bench
