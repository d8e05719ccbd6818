#include "service/http/access.h"

#include <algorithm>

#include "service/http/client_address.h"
#include "service/http/grammar.h"
#include "service/http/percent.h"
#include "service/http/problem.h"

namespace tokenrelay::http {
namespace {

constexpr size_t shown_bytes = 200;  // of what a client sent, in an error's text

bool contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

std::string quoted(std::string_view text) {
  return '"' + std::string(text.substr(0, shown_bytes)) + '"';
}

// The last member of the last such header: what the nearest proxy says. nullopt: no trusted proxy sent one.
std::optional<std::string_view> forwarded(std::string_view name, const Request& request, const Arrival& arrival,
                                          const ServerOptions& options) {
  std::optional<std::string_view> last;
  for (const auto& [key, value] : request.headers) {
    if (key != name) continue;
    const std::string_view list = value;
    last = trim(list.substr(list.find_last_of(',') + 1));  // npos + 1: from the start
  }
  return last && is_trusted(arrival.peer, options.trusted_proxies) ? last : std::nullopt;
}

std::string_view scheme_of(const Request& request, const Arrival& arrival, const ServerOptions& options) {
  const auto said = forwarded("x-forwarded-proto", request, arrival, options);
  if (said && (same_text(*said, "https") || same_text(*said, "wss"))) return "https";
  if (said && (same_text(*said, "http") || same_text(*said, "ws"))) return "http";
  return arrival.tls ? "https" : "http";
}

bool answers_to(std::string_view name, const Arrival& arrival, const ServerOptions& options) {
  const auto host = parse_authority(name);
  if (!host) return false;
  if (arrival.loopback && is_loopback_name(host->host)) return true;
  return std::any_of(options.hosts.begin(), options.hosts.end(), [&](const std::string& listed) {
    const bool v6 = listed.find(':') != std::string::npos && !listed.starts_with('[');
    const auto ours = parse_authority(v6 ? '[' + listed + ']' : listed);
    return ours && ours->host == host->host;
  });
}

Reply misdirected(std::string_view name, const Request& request) {
  const auto host = parse_authority(name);
  std::string detail = "the relay does not answer to the name " + quoted(name);
  if (host) detail += ": if it is one of its names, add it to hosts, as in hosts = [" + quoted(host->host) + "]";
  Reply reply = problem(Code::misdirected, std::move(detail), request.request_id);
  reply.close = true;
  return reply;
}

bool is_upgrade(const Request& request) {
  for (const auto& [name, value] : request.headers) {
    if (name != "upgrade") continue;
    std::string_view list = value;
    while (!list.empty()) {
      if (same_text(next_of(list), "websocket")) return true;
    }
  }
  return false;
}

bool is_safe(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

bool good_origin(std::string_view text, const Arrival& arrival, const std::optional<Origin>& own,
                 const ServerOptions& options) {
  if (contains(options.cors_origins, "*") || contains(options.cors_origins, text)) return true;
  const auto origin = parse_origin(text);
  if (!origin) return false;
  if (own && *origin == *own) return true;
  // On loopback every port is this machine's, but only for who came to loopback: behind a proxy, a page on the
  // visitor's own machine is a foreign one.
  if (arrival.loopback && own && is_loopback_name(own->host) && is_loopback_name(origin->host)) {
    return origin->scheme == own->scheme;
  }
  const auto is_it = [&](const std::string& listed) { return parse_origin(listed) == origin; };
  return std::any_of(options.public_origins.begin(), options.public_origins.end(), is_it);
}

Reply cross_site(std::string detail, const Request& request) {
  return problem(Code::cross_site, std::move(detail), request.request_id);
}

std::string foreign_origin(std::string_view origin) {
  if (!parse_origin(origin)) {
    return "pages of the origin " + quoted(origin) + " may only read: add it to cors_origins if it is a scheme and a " +
           "name, otherwise only cors_origins = [\"*\"] lets it in";
  }
  return "pages of the origin " + quoted(origin) + " may only read: if it is an address of this relay, set " +
         "public_origins = [" + quoted(origin) + "]; if it is another site that you trust, set cors_origins = [" +
         quoted(origin) + "]";
}

}  // namespace

std::optional<Origin> own_origin(const Request& request, const Arrival& arrival, const ServerOptions& options) {
  auto name = forwarded("x-forwarded-host", request, arrival, options);
  if (!name) name = request.header("host");
  const auto host = name ? parse_authority(*name) : std::nullopt;
  return host ? make_origin(scheme_of(request, arrival, options), *host) : std::nullopt;
}

std::optional<Reply> refuse_host(const Request& request, const Arrival& arrival, const ServerOptions& options) {
  const bool open = !arrival.loopback && options.hosts.empty();
  if (!options.check_host || open || contains(options.hosts, "*")) return std::nullopt;
  if (contains(options.any_host_paths, normalise_path(request.path))) return std::nullopt;
  if (const auto host = request.header("host"); host && !answers_to(*host, arrival, options)) {
    return misdirected(*host, request);
  }
  const auto public_host = forwarded("x-forwarded-host", request, arrival, options);
  if (public_host && !answers_to(*public_host, arrival, options)) return misdirected(*public_host, request);
  return std::nullopt;
}

std::optional<Reply> refuse_cross_site(const Request& request, const Arrival& arrival, const std::optional<Origin>& own,
                                       const ServerOptions& options) {
  const bool upgrade = is_upgrade(request);
  if (!upgrade && is_safe(request.method)) return std::nullopt;
  const auto site = request.header("sec-fetch-site");
  if (!upgrade && site == "same-origin") return std::nullopt;
  if (const auto origin = request.header("origin")) {
    if (good_origin(*origin, arrival, own, options)) return std::nullopt;
    return cross_site(foreign_origin(*origin), request);
  }
  if (upgrade || !site) return std::nullopt;  // not from a browser
  return cross_site(
      "a browser sent this for no page of this relay (Sec-Fetch-Site: " + std::string(site->substr(0, 20)) +
          ") and without an Origin: only pages with an Origin that is on cors_origins may",
      request);
}

}  // namespace tokenrelay::http
