// Addresses as people write them in a configuration: HOST:PORT, URLs, origins, networks.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay {

struct HostPort {
  std::string host;  // without brackets
  uint16_t port = 0;
};

std::optional<HostPort> parse_host_port(std::string_view text);  // "127.0.0.1:8080", "[::1]:8080", "localhost:8080"
bool is_loopback(std::string_view host);                         // 127.0.0.0/8, ::1, localhost; names are not resolved

struct HttpUrl {
  bool https = false;
  std::string host;   // IPv6 without brackets
  uint16_t port = 0;  // by scheme, if not given
  std::string path;   // "" or "/v1"; never ends in a slash
};

// http or https, with a host. User, password, query or fragment are errors: they hold secrets, and logs show URLs.
std::optional<HttpUrl> parse_http_url(std::string_view text);

bool is_origin(std::string_view text);   // "https://chat.example", "http://localhost:3000": as a browser sends it
bool is_host(std::string_view text);     // "relay.example", "10.0.0.1", "fd00::1" or "[fd00::1]": no port
bool is_network(std::string_view text);  // "10.0.0.0/8", "::1"

}  // namespace tokenrelay
