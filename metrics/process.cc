#include "metrics/process.h"

#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace tokenrelay::metrics {
namespace {

prometheus::Gauge& gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

// The fields of /proc/self/stat after the command's name, which may hold spaces itself; [0] is the state (proc(5),
// field 3).
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string line;
  std::getline(file, line);
  const size_t end_of_name = line.rfind(')');
  if (end_of_name == std::string::npos) return {};
  std::istringstream rest(line.substr(end_of_name + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(std::move(field));
  return fields;
}

double boot_seconds() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("btime ", 0) == 0) return std::stod(line.substr(6));
  }
  return 0;
}

double count_open_descriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  if (!directory) return 0;
  int entries = 0;
  while (readdir(directory.get()) != nullptr) ++entries;
  return entries - 3;  // ".", "..", and the directory itself
}

}  // namespace

ProcessMetrics::ProcessMetrics(prometheus::Registry& registry)
    : cpu_seconds_(prometheus::BuildCounter()
                       .Name("process_cpu_seconds_total")
                       .Help("User and system CPU time.")
                       .Register(registry)
                       .Add({})),
      resident_bytes_(gauge(registry, "process_resident_memory_bytes", "Resident memory.")),
      virtual_bytes_(gauge(registry, "process_virtual_memory_bytes", "Virtual memory.")),
      threads_(gauge(registry, "process_threads", "Threads.")),
      open_fds_(gauge(registry, "process_open_fds", "Open file descriptors.")),
      max_fds_(gauge(registry, "process_max_fds", "Soft limit of file descriptors.")),
      start_seconds_(gauge(registry, "process_start_time_seconds", "Start of the process, Unix epoch.")) {}

void ProcessMetrics::sample() {
  const std::vector<std::string> stat = stat_fields();
  if (stat.size() > 21) {
    const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
    resident_bytes_.Set(std::stod(stat[21]) * static_cast<double>(sysconf(_SC_PAGESIZE)));
    virtual_bytes_.Set(std::stod(stat[20]));
    threads_.Set(std::stod(stat[17]));
    start_seconds_.Set(boot_seconds() + std::stod(stat[19]) / ticks);
  }
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& t) {
      return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    const double now = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    if (now > cpu_seconds_.Value()) cpu_seconds_.Increment(now - cpu_seconds_.Value());
  }
  open_fds_.Set(count_open_descriptors());
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) max_fds_.Set(static_cast<double>(limit.rlim_cur));
}

}  // namespace tokenrelay::metrics
