#include "service/http/browser.h"

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

void append_guard_headers(HeaderList& headers, bool tls, const std::optional<Origin>& own) {
  headers.emplace_back("X-Content-Type-Options", "nosniff");
  headers.emplace_back("Cross-Origin-Resource-Policy", "same-origin");
  if (tls && own && own->host != "localhost") headers.emplace_back("Strict-Transport-Security", "max-age=31536000");
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
