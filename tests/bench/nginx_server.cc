#include "tests/bench/nginx_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>

#include "tests/support/deadline.h"
#include "tests/support/socket.h"
#include "tests/support/temp_dir.h"

namespace tokenrelay::bench {
namespace {

using namespace std::chrono_literals;
using support::read_text;

const char nchan_module[] = "/usr/lib/nginx/modules/ngx_nchan_module.so";

// One process, and the descriptors that the benchmark has.
std::string frame(const std::string& before, const std::string& http) {
  return before +
         "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr;\n"
         "events { worker_connections 19900; }\n"
         "http {\n"
         "  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; "
         "scgi_temp_path s;\n" +
         http + "}\n";
}

std::string server(uint16_t port, bool tls, const std::string& locations) {
  return "  server {\n    listen 127.0.0.1:" + std::to_string(port) + (tls ? " ssl" : "") +
         " backlog=4096;\n"
         "    tcp_nodelay on; keepalive_timeout 75s; keepalive_requests 1000000;\n" +
         (tls ? "    ssl_certificate certificate.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.2 TLSv1.3;\n"
              : "") +
         locations + "  }\n";
}

std::string proxy(uint16_t port, bool tls, Endpoint upstream) {
  const std::string ssl =
      "      proxy_ssl_protocols TLSv1.2 TLSv1.3; proxy_ssl_verify on; proxy_ssl_name localhost;\n"
      "      proxy_ssl_server_name on; proxy_ssl_trusted_certificate certificate.pem;\n";
  return "  upstream model { server 127.0.0.1:" + std::to_string(upstream.port) + "; keepalive 64; }\n" +
         server(port, tls,
                std::string("    location / {\n      proxy_pass http") + (upstream.tls ? "s" : "") +
                    "://model; proxy_http_version 1.1; proxy_set_header Connection \"\";\n"
                    "      proxy_buffering off; proxy_read_timeout 3600s;\n" +
                    (upstream.tls ? ssl : "") + "    }\n");
}

std::string channel(uint16_t port) {
  return server(port, false,
                "    location /pub { nchan_publisher; nchan_channel_id c; nchan_message_buffer_length 100; }\n"
                "    location /sub {\n"
                "      nchan_subscriber eventsource; nchan_channel_id c; nchan_subscriber_first_message newest;\n"
                "      nchan_eventsource_ping_interval 15; nchan_eventsource_ping_comment hb;\n"
                "    }\n");
}

}  // namespace

NginxServer::NginxServer(const Setting& setting, Endpoint upstream, bool tls)
    : directory_(setting.directory), port_(support::unused_port()), tls_(tls) {
  start(setting, "", proxy(port_, tls, upstream));
}

NginxServer::NginxServer(const Setting& setting, Nchan)
    : directory_(setting.directory), port_(support::unused_port()), tls_(false) {
  start(setting, std::string("load_module ") + nchan_module + ";\n", channel(port_));
}

void NginxServer::start(const Setting& setting, const std::string& before, const std::string& http) {
  write_certificate(directory_);
  support::write_text(directory_ / "nginx.conf", frame(before, http));
  const std::filesystem::path& here = directory_;
  process_ = start_on_server_core(setting, {.argv = {"nginx", "-p", here, "-c", "nginx.conf", "-e", "stderr"},
                                            .stderr_file = directory_ / "stderr",
                                            .work_dir = here});
  const bool up =
      support::wait_until([&] { return support::Socket::connect(port_).open() || !process_->running(); }, 10s);
  if (!up || !process_->running()) throw std::runtime_error("nginx did not start: " + read_text(directory_ / "stderr"));
}

bool NginxServer::installed() {
  return support::run_program({"nginx", "-v"}, 5s).status == 0;
}

bool NginxServer::has_nchan() {
  return std::filesystem::exists(nchan_module);
}

}  // namespace tokenrelay::bench
