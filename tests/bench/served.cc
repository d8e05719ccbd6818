#include "tests/bench/served.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <stdexcept>

#include "tests/bench/machine.h"
#include "tests/support/deadline.h"
#include "tests/support/fake_upstream_fleet.h"
#include "tests/support/temp_dir.h"

namespace tokenrelay::bench {
namespace {

using namespace std::chrono_literals;
using support::read_text;

std::filesystem::path fresh_directory(const std::filesystem::path& in) {
  std::filesystem::create_directories(in);
  std::string name = in / "bench-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no directory in " + in.string());
  return name;
}

std::unique_ptr<support::Process> start_on_server_core(const Setting& setting, support::ProcessOptions options) {
  if (setting.pinned) run_on(Place::server);
  auto process = std::make_unique<support::Process>(std::move(options));
  run_on(setting.pinned ? Place::driver : Place::anywhere);
  return process;
}

// nginx cannot take a port of the kernel's choice and say which: one that was free a moment ago.
uint16_t free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool found = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                     getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!found) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

bool accepts(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

std::string nginx_configuration(uint16_t port, uint16_t upstream_port) {
  return "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr;\n"
         "events { worker_connections 19000; }\n"
         "http {\n"
         "  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; "
         "scgi_temp_path s;\n"
         "  upstream model { server 127.0.0.1:" +
         std::to_string(upstream_port) +
         "; keepalive 64; }\n"
         "  server {\n"
         "    listen 127.0.0.1:" +
         std::to_string(port) +
         " backlog=4096;\n"
         "    tcp_nodelay on; keepalive_timeout 75s; keepalive_requests 1000000;\n"
         "    location / {\n"
         "      proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection \"\";\n"
         "      proxy_buffering off; proxy_read_timeout 3600s;\n"
         "    }\n"
         "  }\n"
         "}\n";
}

}  // namespace

RelayServer::RelayServer(const Setting& setting, uint16_t upstream_port)
    : setting_(setting),
      upstream_("openai=http://127.0.0.1:" + std::to_string(upstream_port) + "/v1"),
      directory_(fresh_directory(setting.directory)) {
  start();
}

RelayServer::~RelayServer() {
  process_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void RelayServer::start() {
  const auto out = directory_ / "stdout", err = directory_ / "stderr";
  std::filesystem::remove(out);
  auto env = setting_.env;
  env.try_emplace("TOKENRELAY_STORAGE_SYNC", setting_.sync);
  env.try_emplace("TOKENRELAY_LOG_LEVEL", "warning");
  const int64_t began = support::monotonic_us();
  process_ = start_on_server_core(setting_, {.argv = {setting_.binary, "serve", "--listen", "127.0.0.1:0", "--data",
                                                      directory_ / "data", "--upstream", upstream_},
                                             .env = env,
                                             .stdout_file = out,
                                             .stderr_file = err,
                                             .work_dir = directory_});
  const std::string expected = "tokenrelay listening on http://127.0.0.1:";
  std::string said;
  support::wait_until(
      [&] {
        said = read_text(out);
        return said.find('\n') != said.npos || !process_->running();
      },
      60s, 1ms);
  start_ms_ = static_cast<double>(support::monotonic_us() - began) / 1000;
  if (!said.starts_with(expected)) throw std::runtime_error("the relay did not start: " + read_text(err));
  port_ = static_cast<uint16_t>(std::stoi(said.substr(expected.size())));
}

void RelayServer::restart() {
  process_->signal(SIGTERM);
  if (process_->wait(60s) != 0) throw std::runtime_error("the relay did not stop: " + read_text(directory_ / "stderr"));
  start();
}

NginxServer::NginxServer(const Setting& setting, uint16_t upstream_port)
    : directory_(fresh_directory(setting.directory)), port_(free_port()) {
  support::write_text(directory_ / "nginx.conf", nginx_configuration(port_, upstream_port));
  process_ = start_on_server_core(setting, {.argv = {"nginx", "-p", directory_, "-c", "nginx.conf", "-e", "stderr"},
                                            .stderr_file = directory_ / "stderr",
                                            .work_dir = directory_});
  const bool up = support::wait_until([&] { return accepts(port_) || !process_->running(); }, 10s);
  if (!up || !process_->running()) throw std::runtime_error("nginx did not start: " + read_text(directory_ / "stderr"));
}

NginxServer::~NginxServer() {
  process_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

bool NginxServer::installed() {
  return support::run_program({"nginx", "-v"}, 5s).status == 0;
}

}  // namespace tokenrelay::bench
