// Checks across keys, and of forms that a type does not show (addresses, origins).
#include "service/config/address.h"
#include "service/config/layers.h"
#include "service/config/on_disconnect.h"
#include "service/transport/tls_server.h"

namespace tokenrelay {
namespace {

Problem check_listen(const std::string& key, const std::string& value, const LayeredConfig& layered) {
  const auto address = parse_host_port(value);
  if (!address) return layered.wrong(key, "must be HOST:PORT (an IPv6 address in brackets), e.g. 127.0.0.1:8080");
  if (!is_loopback(address->host) && !layered.config.allow_unauthenticated) {
    return layered.wrong(key, "\"" + value + "\" is reachable from other machines, and there is no authentication: " +
                                  "listen on 127.0.0.1, or set allow_unauthenticated = true");
  }
  return {};
}

// Beyond loopback a page could give the relay's address a name of its own, and would then be of the same origin.
Problem check_hosts(const LayeredConfig& layered) {
  const Config& config = layered.config;
  for (const std::string& host : config.hosts) {
    if (host == "*" || is_host(host)) continue;
    return layered.wrong("hosts", "must contain names or addresses without a port, such as relay.example, or \"*\"");
  }
  if (!config.hosts.empty() || is_loopback(parse_host_port(config.listen)->host)) return {};
  return layered.wrong("listen", "\"" + config.listen +
                                     "\" is reachable from other machines, and there is no authentication: set hosts "
                                     "to the names that clients use, such as hosts = [\"relay.example\"]");
}

Problem check_browsers(const LayeredConfig& layered) {
  for (const std::string& origin : layered.config.public_origins) {
    if (is_origin(origin) && parse_http_url(origin)) continue;
    return layered.wrong("public_origins", "must contain origins such as https://relay.example");
  }
  for (const std::string& origin : layered.config.cors_origins) {
    if (origin == "*" || is_origin(origin)) continue;
    return layered.wrong("cors_origins",
                         "must contain origins such as https://chat.example or http://localhost:3000, or \"*\"");
  }
  for (const std::string& network : layered.config.trusted_proxies) {
    if (!is_network(network)) {
      return layered.wrong("trusted_proxies", "must contain addresses or networks such as 127.0.0.1 or 10.0.0.0/8");
    }
  }
  return {};
}

// The files are read here too, so that an error names the key and comes before anything is opened.
Problem check_tls(const LayeredConfig& layered) {
  const auto& tls = layered.config.tls;
  if (tls.certificate.empty() && tls.key.empty()) return {};
  if (tls.key.empty()) return layered.wrong("tls.certificate", "needs tls.key as well");
  if (tls.certificate.empty()) return layered.wrong("tls.key", "needs tls.certificate as well");
  const auto server = transport::TlsServer::open({tls.certificate, tls.key});
  if (server) return {};
  const bool key = server.error().file == transport::TlsFault::File::key;
  return layered.wrong(key ? "tls.key" : "tls.certificate",
                       "\"" + (key ? tls.key : tls.certificate) + "\" " + server.error().what);
}

Problem check_surfaces(const LayeredConfig& layered) {
  const auto& surfaces = layered.config.surfaces;
  const std::pair<const char*, const std::string&> keys[] = {{"chat", surfaces.chat_on_disconnect},
                                                             {"messages", surfaces.messages_on_disconnect},
                                                             {"gemini", surfaces.gemini_on_disconnect},
                                                             {"responses", surfaces.responses_on_disconnect},
                                                             {"ui", surfaces.ui_on_disconnect}};
  for (const auto& [name, value] : keys) {
    if (parse_on_disconnect(value)) continue;
    return layered.wrong("surfaces." + std::string(name) + "_on_disconnect",
                         "must be continue, cancel or cancel_after_ms=N with N from 0 to 86400000");
  }
  return {};
}

Problem check_limits(const LayeredConfig& layered) {
  const auto& limits = layered.config.limits;
  const auto at_most = [&](const char* key, uint64_t value, const char* other, uint64_t most) -> Problem {
    if (value <= most) return {};
    return layered.wrong(std::string("limits.") + key, std::string("must not be greater than ") + other);
  };
  if (auto problem = at_most("line_bytes", limits.line_bytes, "limits.head_bytes", limits.head_bytes)) return problem;
  if (auto problem = at_most("path_bytes", limits.path_bytes, "limits.line_bytes", limits.line_bytes)) return problem;
  if (auto problem = at_most("event_bytes", limits.event_bytes, "limits.stream_bytes", limits.stream_bytes))
    return problem;
  return at_most("uncommitted_stream_bytes", limits.uncommitted_stream_bytes, "limits.uncommitted_bytes",
                 limits.uncommitted_bytes);
}

}  // namespace

Problem check_config(LayeredConfig& layered) {
  const Config& config = layered.config;
  if (auto problem = check_listen("listen", config.listen, layered)) return problem;
  if (!config.admin_listen.empty()) {
    if (auto problem = check_listen("admin_listen", config.admin_listen, layered)) return problem;
    if (config.admin_listen == config.listen && parse_host_port(config.listen)->port != 0) {
      return layered.wrong("admin_listen", "is the same address as listen: give another port, or leave it empty");
    }
  }
  if (config.data.empty()) return layered.wrong("data", "must not be empty: give the path of a directory");
  if (auto problem = check_hosts(layered)) return problem;
  if (auto problem = check_browsers(layered)) return problem;
  if (auto problem = check_tls(layered)) return problem;
  if (auto problem = check_surfaces(layered)) return problem;
  return check_limits(layered);
}

}  // namespace tokenrelay
