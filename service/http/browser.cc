#include "service/http/browser.h"

#include <arpa/inet.h>

#include <algorithm>

#include "service/http/grammar.h"

namespace tokenrelay::http {
namespace {

bool any_origin(const std::vector<std::string>& allowed) {
  return std::find(allowed.begin(), allowed.end(), "*") != allowed.end();
}

bool allows(const std::vector<std::string>& allowed, std::string_view origin) {
  return any_origin(allowed) || std::find(allowed.begin(), allowed.end(), origin) != allowed.end();
}

// The requested header names, if they are valid, and always Last-Event-ID.
std::string allowed_headers(std::string_view requested) {
  std::string out;
  bool cursor = false;
  while (!requested.empty()) {
    std::string_view name = next_of(requested);
    if (!is_token(name)) continue;
    cursor = cursor || same_text(name, "last-event-id");
    if (!out.empty()) out += ", ";
    out += name;
  }
  if (cursor) return out;
  return out.empty() ? "Last-Event-ID" : out + ", Last-Event-ID";
}

}  // namespace

bool is_loopback_host(std::string_view host) {
  if (host.starts_with('[')) {
    size_t end = host.find(']');
    if (end == std::string_view::npos) return false;
    in6_addr address{};
    std::string literal(host.substr(1, end - 1));
    std::string_view rest = host.substr(end + 1);
    return (rest.empty() || rest.front() == ':') && inet_pton(AF_INET6, literal.c_str(), &address) == 1 &&
           IN6_IS_ADDR_LOOPBACK(&address);
  }
  std::string name(host.substr(0, host.find(':')));
  if (name.ends_with('.')) name.pop_back();
  if (same_text(name, "localhost")) return true;
  in_addr address{};
  return inet_pton(AF_INET, name.c_str(), &address) == 1 && (ntohl(address.s_addr) >> 24) == 127;
}

HeaderList cors_headers(const Request& request, const std::vector<std::string>& allowed) {
  HeaderList headers;
  if (allowed.empty()) return headers;
  bool any = any_origin(allowed);
  auto origin = request.header("origin");
  if (origin && allows(allowed, *origin)) {
    headers.emplace_back("Access-Control-Allow-Origin", any ? "*" : std::string(*origin));
    if (!any) headers.emplace_back("Access-Control-Allow-Credentials", "true");
    headers.emplace_back("Access-Control-Expose-Headers",
                         "Location, Stream-Id, Request-Id, Retry-After, X-Request-Id, X-Should-Retry");
  }
  if (!any) headers.emplace_back("Vary", "Origin");  // also without one: a cache must not serve this to another origin
  return headers;
}

std::optional<Reply> preflight(const Request& request, const std::vector<std::string>& allowed) {
  auto origin = request.header("origin");
  if (request.method != "OPTIONS" || !origin || !request.header("access-control-request-method")) return std::nullopt;
  if (!allows(allowed, *origin)) return std::nullopt;
  Reply reply;
  reply.status = 204;
  reply.headers.emplace_back("Access-Control-Allow-Methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
  reply.headers.emplace_back("Access-Control-Allow-Headers",
                             allowed_headers(request.header("access-control-request-headers").value_or("")));
  reply.headers.emplace_back("Access-Control-Max-Age", "600");
  reply.headers.emplace_back("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers");
  return reply;
}

}  // namespace tokenrelay::http
