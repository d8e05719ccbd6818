// Where a request goes: its URL, taken apart by libcurl's parser (RFC 3986), and the proxy that the environment names.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tokenrelay::client {

// The other end of a connection; requests to equal origins may share one.
struct Origin {
  bool tls = false;
  std::string host;         // as in certificates: a name in lower case, or an address without brackets
  std::string connect_url;  // http://HOST:PORT/, whatever the scheme
  uint16_t port = 0;

  bool operator==(const Origin& other) const { return tls == other.tls && connect_url == other.connect_url; }
  std::string key() const { return (tls ? "s " : "p ") + connect_url; }
};

struct Target {
  Origin origin;
  std::string authority;  // the value of the Host header
  std::string path;       // with the query, never empty
};

// nullopt: not a valid URL, or neither http nor https.
std::optional<Target> parse_target(const std::string& text);

// The environment's proxies (http_proxy, https_proxy, all_proxy, no_proxy), by libcurl's rules; read once.
class Proxies {
 public:
  struct Proxy {
    std::string url;  // with a scheme
    std::string host;
    uint16_t port = 0;
    bool looks_up = true;  // the proxy looks up the target's name, so that the client need not
  };

  static Proxies of_environment();
  const Proxy* of(const Origin& origin) const;  // null: the request goes to the target directly

 private:
  bool bypassed(const std::string& host) const;

  std::optional<Proxy> http_, https_;
  std::vector<std::string> direct_;  // from no_proxy
};

}  // namespace tokenrelay::client
