#include "service/http/origin.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

#include "service/http/grammar.h"

namespace tokenrelay::http {
namespace {

bool is_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z') ||
           std::string_view("-._~!$&'()*+,;=%").find(c) != std::string_view::npos;
  });
}

// RFC 5952's form, or "".
std::string shortest_ipv6(std::string_view literal) {
  in6_addr address{};
  char text[INET6_ADDRSTRLEN];
  if (inet_pton(AF_INET6, std::string(literal).c_str(), &address) != 1) return "";
  return inet_ntop(AF_INET6, &address, text, sizeof text);
}

// ":" and at most five digits, or ":" alone (RFC 3986 3.2.3).
bool read_port(std::string_view text, std::optional<uint16_t>& port) {
  if (text.empty()) return true;
  if (text.front() != ':' || text.size() > 6) return false;
  text.remove_prefix(1);
  if (text.empty()) return true;
  uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  port = value;
  return true;
}

}  // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  Authority out;
  std::string_view rest;
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    out.host = shortest_ipv6(text.substr(1, end - 1));
    rest = text.substr(end + 1);
  } else {
    const size_t colon = std::min(text.find(':'), text.size());
    if (!is_name(text.substr(0, colon))) return std::nullopt;
    out.host = lower(text.substr(0, colon));
    rest = text.substr(colon);
    if (out.host.ends_with('.')) out.host.pop_back();
  }
  if (out.host.empty() || !read_port(rest, out.port)) return std::nullopt;
  return out;
}

bool is_loopback_name(std::string_view host) {
  in_addr v4{};
  if (host == "localhost" || host == "::1") return true;
  return inet_pton(AF_INET, std::string(host).c_str(), &v4) == 1 && (ntohl(v4.s_addr) >> 24) == 127;
}

std::optional<Origin> make_origin(std::string_view scheme, const Authority& authority) {
  const bool tls = scheme == "https";
  if (!tls && scheme != "http") return std::nullopt;
  const uint16_t port = authority.port.value_or(tls ? 443 : 80);
  if (port == 0) return std::nullopt;
  return Origin{std::string(scheme), authority.host, port};
}

std::optional<Origin> parse_origin(std::string_view text) {
  const size_t end = text.find("://");
  if (end == std::string_view::npos) return std::nullopt;
  const auto authority = parse_authority(text.substr(end + 3));
  return authority ? make_origin(lower(text.substr(0, end)), *authority) : std::nullopt;
}

}  // namespace tokenrelay::http
