#include "tests/support/relay.h"

#include <signal.h>

#include <iterator>
#include <sstream>
#include <stdexcept>

namespace tokenrelay::support {

Relay::Relay(RelayOptions options) : data_(dir_ / "data"), options_(std::move(options)) {
  std::filesystem::create_directory(fault_dir());
  if (!options_.config.empty()) write_text(config_file(), options_.config);
  start();
}

Relay::~Relay() = default;

void Relay::start() {
  std::vector<std::string> argv = {TOKENRELAY_BINARY, "serve",       "--listen", "127.0.0.1:" + std::to_string(port_),
                                   "--data",          data_.string()};
  if (const char* under = getenv("TOKENRELAY_UNDER")) {  // e.g. "valgrind -q --log-file=/tmp/vg.%p"
    std::istringstream words(under);
    argv.insert(argv.begin(), std::istream_iterator<std::string>(words), {});
  }
  if (!options_.config.empty()) argv.insert(argv.end(), {"--config", config_file().string()});
  if (!options_.upstream.empty()) argv.insert(argv.end(), {"--upstream", options_.upstream});
  argv.insert(argv.end(), options_.args.begin(), options_.args.end());
  auto env = options_.env;
  env.try_emplace("TOKENRELAY_LIMITS_UPSTREAM_RETRY_MS", "2500");  // no test waits half a minute for the last retry
  const bool real_model = !options_.upstream.empty() || options_.config.find("kind = \"openai\"") != std::string::npos;
  if (real_model && options_.config.find("models = ") == std::string::npos) {
    env.try_emplace("TOKENRELAY_DEFAULT_MODEL", "test-model");
  }
  if (options_.fault_injection) {
    env["LD_PRELOAD"] = TOKENRELAY_BUILD_DIR "/tests/libtr_faults.so";
    env["TR_FAULT_DIR"] = fault_dir().string();
    env["TR_FAULT_DATA"] = data_.string();
    env["ASAN_OPTIONS"] = "verify_asan_link_order=0";
  }
  output_before_ = output().size();
  process_.reset();
  process_ = std::make_unique<Process>(
      ProcessOptions{.argv = argv,
                     .env = env,
                     .stdout_file = dir_ / "stdout",
                     .stderr_file = options_.stderr_file.empty() ? dir_ / "stderr" : options_.stderr_file,
                     .work_dir = dir_.path(),
                     .descriptors = options_.descriptors});
  await_first_line();
}

void Relay::await_first_line() {
  std::string line;
  wait_until(
      [&] {
        const std::string all = output().substr(output_before_);
        const auto end = all.find('\n');
        if (end != std::string::npos) line = all.substr(0, end);
        return !line.empty() || !process_->running();
      },
      options_.start_within, 2ms);
  const bool tls = options_.config.find("[tls]") != std::string::npos;
  const std::string expected = std::string("tokenrelay listening on ") + (tls ? "https" : "http") + "://127.0.0.1:";
  if (!line.starts_with(expected)) {
    throw std::runtime_error("the relay did not start; first line '" + line + "', log:\n" + log());
  }
  port_ = static_cast<uint16_t>(std::stoi(line.substr(expected.size())));
}

std::optional<int> Relay::stop(Deadline deadline) {
  process_->signal(SIGTERM);
  return process_->wait(deadline);
}

Response Relay::get(const std::string& target, Fields fields) {
  return fetch(port_, {.target = target, .fields = std::move(fields)});
}

Response Relay::post(const std::string& target, const Json& body, Fields fields) {
  fields.emplace_back("Content-Type", "application/json");
  return fetch(port_, {.method = "POST", .target = target, .fields = std::move(fields), .body = body.dump()});
}

std::string Relay::create(const Json& body) {
  const Response made = post("/v1/streams", body);
  if (made.status != 201) throw std::runtime_error("create: " + std::to_string(made.status) + " " + made.body);
  return made.json().at("id");
}

bool Relay::wait_status(const std::string& stream_id, const std::string& status, Deadline deadline) {
  return wait_until([&] { return state(stream_id).value("status", "") == status; }, deadline, 20ms);
}

double Relay::metric(const std::string& name) {
  std::istringstream lines(get("/metrics").body);
  double sum = 0;
  bool found = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(name)) continue;
    const char next = line.size() > name.size() ? line[name.size()] : '\0';
    if (next != ' ' && next != '{') continue;
    sum += std::stod(line.substr(line.rfind(' ') + 1));
    found = true;
  }
  return found ? sum : -1;
}

}  // namespace tokenrelay::support
