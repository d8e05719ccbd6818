#include "tests/bench/plots.h"

#include <algorithm>
#include <fstream>

#include "tests/bench/svg.h"

namespace tokenrelay::bench {
namespace {

struct Bars {
  const char *file, *mode, *column, *title, *subtitle;
};
const Bars bars[] = {
    {"cpu-per-token", "relay", "cpu us/token", "CPU per token", "microseconds, all threads; less is better"},
    {"cpu-per-token-tls", "relay-tls", "cpu us/token", "CPU per token, TLS to the upstream",
     "microseconds, all threads; less is better"},
    {"p99", "relay", "added p99 ms", "Added latency, p99", "milliseconds more than straight from the upstream"},
    {"p99-tls", "relay-tls", "added p99 ms", "Added latency, p99, TLS to the upstream",
     "milliseconds more than straight from the upstream"},
    {"saturation", "saturate", "tokens/s", "Tokens per second on one core", "more is better"},
    {"fanout", "fanout", "cpu us/event", "CPU per delivered event, one stream to many readers",
     "microseconds; less is better"},
    {"memory-idle", "idle", "B/client", "Memory of an idle client", "resident bytes; less is better"},
    {"memory-stream", "relay", "KiB/stream", "Memory of an active stream", "resident KiB; less is better"},
    {"memory-stream-tls", "relay-tls", "KiB/stream", "Memory of an active stream, TLS to the upstream",
     "resident KiB; less is better"},
};

struct Lines {
  const char *plot, *title;
  Axis x, y;
};
const Lines lines[] = {
    {"relay latency",
     "Latency of a delta",
     {"milliseconds from the upstream's write to the client's read", true},
     {"% of deltas read by then"}},
    {"relay-tls latency",
     "Latency of a delta, TLS to the upstream",
     {"milliseconds from the upstream's write to the client's read", true},
     {"% of deltas read by then"}},
    {"fanout latency",
     "Latency of an event, one stream to many readers",
     {"milliseconds from the upstream's write to the client's read", true},
     {"% of events read by then"}},
    {"saturation cpu", "CPU under a rising rate", {"tokens sent per second"}, {"% of the server's core"}},
    {"saturation p99",
     "Latency under a rising rate",
     {"tokens sent per second"},
     {"p99, milliseconds (logarithmic)", true}},
    {"churn memory", "Memory while streams come and go", {"minutes"}, {"resident MiB"}},
};

void write(const std::filesystem::path& directory, const std::string& name, const std::string& svg,
           std::vector<std::string>& written) {
  if (svg.empty()) return;
  std::ofstream(directory / (name + ".svg")) << svg;
  written.push_back(name + ".svg");
}

}  // namespace

std::vector<std::string> write_plots(const Report& report, const std::filesystem::path& directory) {
  std::filesystem::create_directories(directory);
  std::vector<std::string> written;
  for (const Bars& chart : bars) {
    std::vector<Bar> found;
    for (const auto& [row, value] : report.column(chart.mode, chart.column)) found.push_back({row, value});
    if (!found.empty()) write(directory, chart.file, bar_chart(chart.title, chart.subtitle, found), written);
  }
  for (const Lines& chart : lines) {
    const auto plot = report.plots().find(chart.plot);
    if (plot == report.plots().end()) continue;
    std::string name = chart.plot;
    std::replace(name.begin(), name.end(), ' ', '-');
    write(directory, name, line_chart(chart.title, chart.x, chart.y, plot->second), written);
  }
  return written;
}

}  // namespace tokenrelay::bench
