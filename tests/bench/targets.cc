#include "tests/bench/targets.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace tokenrelay::bench {
namespace {

using Targets = std::vector<Target>;

// A bound on one column of the rows that begin so.
struct Rule {
  const char *mode, *row, *column, *what;
  double limit;
  bool at_least;
};
const Rule rules[] = {
    {"relay", "relay ", "KiB/stream", "KiB per active stream", 40, false},
    {"relay-tls", "relay ", "KiB/stream", "KiB per active stream, TLS upstream", 90, false},
    {"idle", "relay tls ", "B/client", "bytes per idle TLS client", 18 * 1024, false},
    {"replay", "after a restart", "p50 ms", "replay after a restart, p50 ms", 1, false},
    {"replay", "after a restart", "p99 ms", "replay after a restart, p99 ms", 1, false},
    {"replay", "coalesce=0", "p50 ms", "replay with coalesce=0, p50 ms", 1, false},
    {"replay", "coalesce=0", "p99 ms", "replay with coalesce=0, p99 ms", 1, false},
    {"replay", "… coalesce=0", "p50 ms", "replay with coalesce=0 after a restart, p50 ms", 1, false},
    {"replay", "… coalesce=0", "p99 ms", "replay with coalesce=0 after a restart, p99 ms", 1, false},
    {"storm", "", "all served ms", "1,000 readers come back, ms", 1000, false},
    {"post", "", "created/s", "durable POST /v1/streams per second", 5000, true},
    {"post", "", "p99 ms", "… p99 ms", 10, false},
    {"churn", "", "growth %", "growth of memory under churn, %", 5, false},
};

void add_rules(const Report& report, Targets& targets) {
  for (const Rule& rule : rules) {
    for (const auto& [row, value] : report.column(rule.mode, rule.column)) {
      if (row.starts_with(rule.row)) targets.push_back({rule.what, rule.limit, value, rule.at_least});
    }
  }
}

int count_in(const std::string& text) {
  return std::atoi(text.c_str());
}

// "relay 1000 x 30/s" against "nginx 1000 x 30/s".
void add_beside_nginx(const Report& report, const std::string& mode, const std::string& sync, Targets& targets) {
  for (const auto& [row, cpu] : report.column(mode, "cpu us/token")) {
    if (!row.starts_with("relay ")) continue;
    const std::string load = row.substr(6);
    const auto nginx_cpu = report.figure(mode, "nginx " + load, "cpu us/token");
    const auto p99 = report.figure(mode, row, "added p99 ms"),
               nginx_p99 = report.figure(mode, "nginx " + load, "added p99 ms");
    if (!nginx_cpu || !nginx_p99 || *nginx_cpu <= 0) continue;
    const double limit = sync == "normal" ? 1.0 : count_in(load) >= 2000 ? 1.1 : 1.25;
    targets.push_back({mode + " " + load + ": CPU per token / nginx's", limit, cpu / *nginx_cpu});
    targets.push_back({mode + " " + load + ": added p99 - nginx's, ms", 2.5, *p99 - *nginx_p99});
  }
}

void add_saturation(const Report& report, Targets& targets) {
  const auto relay = report.figure("saturate", "relay coalesce=0", "tokens/s");
  const auto nginx = report.figure("saturate", "nginx", "tokens/s");
  if (relay && nginx && *nginx > 0)
    targets.push_back({"saturated, coalesce=0: tokens/s / nginx's", 0.75, *relay / *nginx, true});
}

void add_by_audience(const Report& report, Targets& targets) {
  for (const auto& [row, cpu] : report.column("fanout", "cpu us/event")) {
    if (!row.starts_with("relay ")) continue;
    targets.push_back(
        {"fan-out to " + row.substr(6) + ": us of CPU per event", count_in(row.substr(6)) <= 1000 ? 5.5 : 6.5, cpu});
  }
  for (const auto& [row, bytes] : report.column("idle", "B/client")) {
    if (row.starts_with("relay ") && !row.starts_with("relay tls"))
      targets.push_back({"bytes per idle SSE subscriber", 1536, bytes});
  }
}

std::string cell(const std::string& text, size_t width) {
  size_t shown = 0;  // "…" is one
  for (const char c : text) shown += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  return text + std::string(width - std::min(width, shown), ' ');
}

}  // namespace

std::vector<Target> targets_of(const Report& report, const std::string& sync) {
  Targets targets;
  add_beside_nginx(report, "relay", sync, targets);
  add_beside_nginx(report, "relay-tls", sync, targets);
  add_saturation(report, targets);
  add_by_audience(report, targets);
  add_rules(report, targets);
  return targets;
}

std::string table_of(const std::vector<Target>& targets, bool whole) {
  if (targets.empty()) return "";
  std::string out = cell("\ntarget", 60) + " | measured | met\n";
  for (const Target& target : targets) {
    char numbers[64], measured[32];
    std::snprintf(numbers, sizeof numbers, " %s %.6g", target.at_least ? ">=" : "<=", target.limit);
    std::snprintf(measured, sizeof measured, " | %8.2f | ", target.measured);
    out += cell(target.what + numbers, 59) + measured + (!whole ? "not whole" : target.met() ? "yes" : "NO") + "\n";
  }
  return out;
}

}  // namespace tokenrelay::bench
