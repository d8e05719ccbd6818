// The servers under test, each a child of the benchmark on the server's core, and what starting one takes.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/client.h"
#include "tests/bench/figures.h"
#include "tests/support/process.h"

namespace tokenrelay::bench {

// What all modes share.
struct Setting {
  std::filesystem::path binary;     // the relay
  std::filesystem::path directory;  // logs and configuration go into fresh directories in it
  std::string sync = "full";
  std::map<std::string, std::string> env;  // for the relay: TOKENRELAY_…
  bool pinned = true;
};

class Served {
 public:
  virtual ~Served() = default;
  virtual Endpoint at() const = 0;
  virtual pid_t pid() const = 0;
  CpuTimes cpu() const { return cpu_of(pid()); }
};

// A directory of its own in `directory`, removed with all that is in it.
class FreshDirectory {
 public:
  explicit FreshDirectory(const std::filesystem::path& in);
  ~FreshDirectory();
  FreshDirectory(const FreshDirectory&) = delete;
  operator const std::filesystem::path&() const { return path_; }
  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

std::unique_ptr<support::Process> start_on_server_core(const Setting& setting, support::ProcessOptions options);

// The port in the child's first line, which begins with `expected`; throws with what it wrote to `err` instead.
uint16_t announced_port(support::Process& process, const std::filesystem::path& out, const std::filesystem::path& err,
                        const std::string& expected);

// What every TLS port here shows: the upstream's, the relay's and nginx's. Written to certificate.pem and key.pem.
const support::Certificate& certificate();
void write_certificate(const FreshDirectory& directory);

}  // namespace tokenrelay::bench
