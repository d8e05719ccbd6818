#include "tests/bench/served.h"

#include <cstdlib>
#include <stdexcept>

#include "tests/bench/machine.h"
#include "tests/support/deadline.h"
#include "tests/support/temp_dir.h"

namespace tokenrelay::bench {

using namespace std::chrono_literals;
using support::read_text;

FreshDirectory::FreshDirectory(const std::filesystem::path& in) {
  std::filesystem::create_directories(in);
  std::string name = in / "bench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory in " + in.string());
  path_ = name;
}

FreshDirectory::~FreshDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::unique_ptr<support::Process> start_on_server_core(const Setting& setting, support::ProcessOptions options) {
  if (setting.pinned) run_on(Place::server);
  auto process = std::make_unique<support::Process>(std::move(options));
  run_on(setting.pinned ? Place::driver : Place::anywhere);
  return process;
}

uint16_t announced_port(support::Process& process, const std::filesystem::path& out, const std::filesystem::path& err,
                        const std::string& expected) {
  std::string said;
  support::wait_until(
      [&] {
        said = read_text(out);
        return said.find('\n') != said.npos || !process.running();
      },
      60s, 1ms);
  if (!said.starts_with(expected)) throw std::runtime_error("a server did not start: " + said + read_text(err));
  return static_cast<uint16_t>(std::stoi(said.substr(expected.size())));
}

const support::Certificate& certificate() {
  static const support::Certificate made = support::make_certificate("tokenrelay bench");
  return made;
}

void write_certificate(const FreshDirectory& directory) {
  support::write_text(directory / "certificate.pem", certificate().certificate);
  support::write_text(directory / "key.pem", certificate().key);
}

}  // namespace tokenrelay::bench
