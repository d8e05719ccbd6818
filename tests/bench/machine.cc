#include "tests/bench/machine.h"

#include <sched.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>

namespace tokenrelay::bench {
namespace {

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
  std::snprintf(line, sizeof line, "%ld cores of %s, %.0f GiB, Linux %s, log on %s, load %.2f",
                sysconf(_SC_NPROCESSORS_ONLN), processor().c_str(),
                static_cast<double>(memory.totalram) * memory.mem_unit / (1 << 30), name.release,
                file_system(directory).c_str(), load_now());
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
