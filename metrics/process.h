// The standard process_* metrics, read from /proc/self at each scrape (Linux).
#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

namespace tokenrelay::metrics {

class ProcessMetrics {
 public:
  explicit ProcessMetrics(prometheus::Registry& registry);
  void sample();

 private:
  prometheus::Counter& cpu_seconds_;
  prometheus::Gauge &resident_bytes_, &virtual_bytes_, &threads_, &open_fds_, &max_fds_, &start_seconds_;
};

}  // namespace tokenrelay::metrics
