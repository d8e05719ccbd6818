#include "tests/bench/machine.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <vector>

#include "tests/bench/figures.h"

namespace tokenrelay::bench {
namespace {

volatile std::sig_atomic_t stopped = 0;

std::string processor() {
  std::ifstream lines("/proc/cpuinfo");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown processor";
}

std::string file_system(const std::filesystem::path& directory) {
  struct statfs found {};
  if (statfs(directory.c_str(), &found) != 0) return "unknown";
  switch (static_cast<unsigned long>(found.f_type)) {
    case 0xef53:
      return "ext4";
    case 0x58465342:
      return "xfs";
    case 0x9123683e:
      return "btrfs";
    case 0x01021994:
      return "tmpfs (not a disk!)";
    case 0x794c7630:
      return "overlayfs";
    default:
      return "other";
  }
}

// What the disk itself does now, to judge the latencies by: an 8 KiB write over old bytes, and its sync.
std::string sync_now(const std::filesystem::path& directory) {
  constexpr int times = 200;
  const std::string page(8192, 'x');
  const auto file = directory / "probe";
  const int fd = open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  std::vector<uint32_t> us;
  for (int i = 0; fd >= 0 && i < times; ++i) {
    const auto from = std::chrono::steady_clock::now();
    const bool synced = pwrite(fd, page.data(), page.size(), i % 50 * 8192) > 0 && fdatasync(fd) == 0;
    const auto took = std::chrono::steady_clock::now() - from;
    if (synced && i >= 50)
      us.push_back(static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(took).count()));
  }
  close(fd);
  std::filesystem::remove(file);
  char text[80];
  std::snprintf(text, sizeof text, "a sync takes %.2f ms, p99 %.2f", percentile(us, 50) / 1000,
                percentile(us, 99) / 1000);
  return text;
}

cpu_set_t everywhere() {
  static const cpu_set_t at_start = [] {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    return set;
  }();
  return at_start;
}

}  // namespace

double load_now() {
  double load[1] = {0};
  getloadavg(load, 1);
  return load[0];
}

std::string machine_line(const std::filesystem::path& directory) {
  utsname name{};
  uname(&name);
  struct sysinfo memory {};
  sysinfo(&memory);
  char line[400];
  std::snprintf(line, sizeof line, "%ld cores of %s, %.0f GiB, Linux %s, log on %s (%s), load %.2f",
                sysconf(_SC_NPROCESSORS_ONLN), processor().c_str(),
                static_cast<double>(memory.totalram) * memory.mem_unit / (1 << 30), name.release,
                file_system(directory).c_str(), sync_now(directory).c_str(), load_now());
  return line;
}

void run_on(Place place) {
  cpu_set_t set = everywhere();
  if (place != Place::anywhere) {
    CPU_ZERO(&set);
    CPU_SET(place == Place::driver ? 0 : 1, &set);
  }
  if (sched_setaffinity(0, sizeof set, &set) != 0) throw std::runtime_error("cannot pin: try --unpinned");
}

void stop_on_signals() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) std::signal(number, [](int) { stopped = 1; });
}

void throw_if_stopped() {
  if (stopped != 0) throw Stopped();
}

void raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

size_t descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace tokenrelay::bench
