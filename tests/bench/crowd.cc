#include "tests/bench/crowd.h"

#include <unistd.h>

#include "tests/support/fleet_delta.h"

namespace tokenrelay::bench {

void Crowd::open(Client& client, int count, int step) {
  for (int i = 0; i < count; ++i) {
    client.open(to, requests[static_cast<size_t>(i) % requests.size()], readers.emplace_back(dialect, window));
    if (i % step == step - 1) client.run_for(0.005);
  }
}

void Crowd::check(const std::string& name, uint64_t deltas, Report& report) const {
  for (const auto& reader : readers) {
    if (const auto fault = reader.fault(deltas); !fault.empty()) report.fault(name + ": " + fault);
  }
}

Measured measure(Client& client, const Served& served, std::initializer_list<Crowd*> crowds, double seconds) {
  const CpuTimes before = served.cpu(), driver_before = cpu_of(getpid());
  const int64_t from = support::monotonic_us();
  for (Crowd* crowd : crowds) crowd->window.open = true;
  client.run_for(seconds);
  for (Crowd* crowd : crowds) crowd->window.open = false;
  const double took = static_cast<double>(support::monotonic_us() - from) / 1e6;
  return {cpu_between(before, served.cpu()), cpu_between(driver_before, cpu_of(getpid())), took};
}

Report::Curve distribution(Window& window) {
  Report::Curve points;
  for (int p = 0; p < 100; ++p) points.emplace_back(percentile(window.latency_us, p) / 1000, p);
  for (const double p : {99.5, 99.9}) points.emplace_back(percentile(window.latency_us, p) / 1000, p);
  return points;
}

}  // namespace tokenrelay::bench
