#include "service/config/address.h"

#include <arpa/inet.h>

#include <charconv>

namespace tokenrelay {
namespace {

bool is_ipv6(std::string_view text) {
  in6_addr address;
  return inet_pton(AF_INET6, std::string(text).c_str(), &address) == 1;
}

bool is_ipv4(std::string_view text) {
  in_addr address;
  return inet_pton(AF_INET, std::string(text).c_str(), &address) == 1;
}

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 253 || text.front() == '.' || text.front() == '-') return false;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!plain && c != '.' && c != '-' && c != '_') return false;
  }
  return true;
}

std::optional<int> number(std::string_view digits, int most) {
  int value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  if (value < 0 || value > most || digits.front() == '-' || digits.front() == '+') return std::nullopt;
  return value;
}

// "host", "host:port", "[v6]", "[v6]:port"; `port` stays as it is when none is written.
bool split_authority(std::string_view text, std::string& host, uint16_t& port, bool& has_port) {
  std::string_view name = text, rest;
  const bool bracketed = !text.empty() && text.front() == '[';
  if (bracketed) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos) return false;
    name = text.substr(1, close - 1);
    rest = text.substr(close + 1);
  } else if (const size_t colon = text.find(':'); colon != std::string_view::npos) {
    name = text.substr(0, colon);
    rest = text.substr(colon);
  }
  if (bracketed ? !is_ipv6(name) : !is_name(name)) return false;
  has_port = !rest.empty();
  if (has_port) {
    const auto value = rest.front() == ':' ? number(rest.substr(1), 65535) : std::nullopt;
    if (!value) return false;
    port = static_cast<uint16_t>(*value);
  }
  host = name;
  return true;
}

}  // namespace

std::optional<HostPort> parse_host_port(std::string_view text) {
  HostPort address;
  bool has_port = false;
  if (!split_authority(text, address.host, address.port, has_port) || !has_port) return std::nullopt;
  return address;
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  return is_ipv4(host) && host.substr(0, 4) == "127.";
}

std::optional<HttpUrl> parse_http_url(std::string_view text) {
  HttpUrl url;
  if (text.substr(0, 8) == "https://") {
    url.https = true;
    text.remove_prefix(8);
  } else if (text.substr(0, 7) == "http://") {
    text.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  for (const char c : text) {
    if (c <= ' ' || c == 0x7f || c == '?' || c == '#' || c == '@' || c == '\\') return std::nullopt;
  }
  const size_t slash = std::min(text.find('/'), text.size());
  url.port = url.https ? 443 : 80;
  bool has_port = false;
  if (!split_authority(text.substr(0, slash), url.host, url.port, has_port) || url.port == 0) return std::nullopt;
  url.path = text.substr(slash);
  while (!url.path.empty() && url.path.back() == '/') url.path.pop_back();
  return url;
}

bool is_origin(std::string_view text) {
  const size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos || scheme_end == 0) return false;
  std::string host;
  uint16_t port = 0;
  bool has_port = false;
  for (const char c : text) {
    if (c >= 'A' && c <= 'Z') return false;  // browsers send origins in lower case
  }
  return split_authority(text.substr(scheme_end + 3), host, port, has_port);
}

bool is_host(std::string_view text) {
  if (text.starts_with('[') && text.ends_with(']')) return is_ipv6(text.substr(1, text.size() - 2));
  return is_name(text) || is_ipv6(text);
}

bool is_network(std::string_view text) {
  const size_t slash = text.find('/');
  const std::string_view address = text.substr(0, slash);
  const bool v4 = is_ipv4(address);
  if (!v4 && !is_ipv6(address)) return false;
  return slash == std::string_view::npos || number(text.substr(slash + 1), v4 ? 32 : 128).has_value();
}

}  // namespace tokenrelay
