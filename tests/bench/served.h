// The servers under test, each a child of the benchmark on the server's core: the relay, and nginx as a bare proxy.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

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
  virtual uint16_t port() const = 0;
  virtual pid_t pid() const = 0;
  CpuTimes cpu() const { return cpu_of(pid()); }
};

class RelayServer final : public Served {
 public:
  RelayServer(const Setting& setting, uint16_t upstream_port);  // started and listening, else throws
  ~RelayServer() override;
  uint16_t port() const override { return port_; }
  pid_t pid() const override { return process_->pid(); }
  void restart();                                // SIGTERM, wait, and again on the same log; another port
  double start_ms() const { return start_ms_; }  // from exec to the first line (which follows recovery), to 1 ms

 private:
  void start();
  const Setting setting_;
  const std::string upstream_;
  std::filesystem::path directory_;
  std::unique_ptr<support::Process> process_;
  uint16_t port_ = 0;
  double start_ms_ = 0;
};

class NginxServer final : public Served {
 public:
  NginxServer(const Setting& setting, uint16_t upstream_port);  // throws if it does not start
  ~NginxServer() override;
  static bool installed();
  uint16_t port() const override { return port_; }
  pid_t pid() const override { return process_->pid(); }

 private:
  std::filesystem::path directory_;
  std::unique_ptr<support::Process> process_;
  uint16_t port_ = 0;
};

}  // namespace tokenrelay::bench
