// Relay: the real binary under test, on a port of the kernel's choice and a data directory of its own.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/http_connection.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tokenrelay::support {

struct RelayOptions {
  std::string upstream = {};           // "openai=http://127.0.0.1:PORT/v1"; empty: what the config says, else demo
  std::string config = {};             // TOML
  std::vector<std::string> args = {};  // more flags
  std::map<std::string, std::string> env = {};
  bool fault_injection = false;  // preloads preload/faults.c: touch files in fault_dir() to arm a fault
  std::optional<uint64_t> descriptors = {};
  std::filesystem::path stderr_file = {};  // empty: a file that log() reads
  milliseconds start_within = 20s;
};

class Relay {
 public:
  explicit Relay(RelayOptions options = {});  // started and listening, else throws with the log
  ~Relay();

  uint16_t port() const { return port_; }
  Process& process() { return *process_; }
  const std::filesystem::path& data() const { return data_; }
  std::filesystem::path config_file() const { return dir_ / "tokenrelay.toml"; }
  std::filesystem::path fault_dir() const { return dir_ / "faults"; }
  std::string log() const { return read_text(dir_ / "stderr"); }
  std::string output() const { return read_text(dir_ / "stdout"); }

  void kill_now() { process_->kill_now(); }                             // SIGKILL
  std::optional<int> stop(Deadline deadline = 40s);                     // SIGTERM and wait
  void start();                                                         // again, on the same port and data
  void set_fault_injection(bool on) { options_.fault_injection = on; }  // at the next start()

  Response get(const std::string& target, Fields fields = {});
  Response post(const std::string& target, const Json& body, Fields fields = {});
  // POST /v1/streams, must answer 201: the stream's id.
  std::string create(const Json& body = {{"prompt", "hello"}});
  Json state(const std::string& stream_id) { return get("/v1/streams/" + stream_id).json(); }
  bool wait_status(const std::string& stream_id, const std::string& status, Deadline deadline = 10s);
  // The value of an exposed series, summed over its labels; -1 if it is not there.
  double metric(const std::string& name);

 private:
  void await_first_line();
  TempDir dir_;
  std::filesystem::path data_;
  RelayOptions options_;
  uint16_t port_ = 0;
  size_t output_before_ = 0;
  std::unique_ptr<Process> process_;
};

}  // namespace tokenrelay::support
