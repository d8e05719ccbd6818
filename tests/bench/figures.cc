#include "tests/bench/figures.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "tests/support/temp_dir.h"

namespace tokenrelay::bench {
namespace {

using support::read_text;

double total_us(pid_t pid) {
  const std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat");
  std::istringstream fields(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)));
  std::string skipped;
  for (int i = 0; i < 11; ++i) fields >> skipped;  // state (3) to cmajflt (13)
  double user = 0, system = 0;
  fields >> user >> system;
  return (user + system) * 1e6 / static_cast<double>(sysconf(_SC_CLK_TCK));
}

}  // namespace

double percentile(std::vector<uint32_t>& samples, double p) {
  if (samples.empty()) return 0;
  const auto rank = static_cast<size_t>(std::ceil(p / 100 * static_cast<double>(samples.size())));
  const auto at = samples.begin() + static_cast<ptrdiff_t>(rank == 0 ? 0 : rank - 1);
  std::nth_element(samples.begin(), at, samples.end());
  return *at;
}

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

CpuTimes cpu_of(pid_t pid) {
  CpuTimes times;
  times.total = total_us(pid);
  std::vector<int> ids;
  std::error_code gone;
  const std::filesystem::path tasks = "/proc/" + std::to_string(pid) + "/task";
  for (const auto& entry : std::filesystem::directory_iterator(tasks, gone)) {
    ids.push_back(std::stoi(entry.path().filename()));
  }
  std::sort(ids.begin(), ids.end());
  for (const int id : ids) {
    std::string name = read_text(tasks / std::to_string(id) / "comm");
    if (!name.empty()) name.pop_back();
    double ns = 0;
    std::istringstream(read_text(tasks / std::to_string(id) / "schedstat")) >> ns;
    times.threads.push_back({name + "/" + std::to_string(times.threads.size()), ns / 1000});
  }
  return times;
}

CpuTimes cpu_between(const CpuTimes& before, const CpuTimes& after) {
  CpuTimes spent = after;
  spent.total -= before.total;
  for (size_t i = 0; i < std::min(before.threads.size(), spent.threads.size()); ++i) {
    spent.threads[i].us -= before.threads[i].us;
  }
  return spent;
}

Memory memory_of(pid_t pid) {
  Memory memory;
  std::ifstream lines("/proc/" + std::to_string(pid) + "/smaps_rollup");
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string key;
    double kib = 0;
    words >> key >> kib;
    if (key == "Rss:") memory.rss = kib * 1024;
    if (key == "Private_Dirty:") memory.private_dirty = kib * 1024;
  }
  return memory;
}

}  // namespace tokenrelay::bench
