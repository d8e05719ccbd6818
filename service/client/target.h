// Where a request goes: its URL taken apart (RFC 3986, by libcurl's parser), and whether the environment has a proxy in
// between.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tokenrelay::client {

// What a connection leads to; equal ones may share it.
struct Origin {
  bool tls = false;
  std::string host;         // as certificates name it: lower case or an address, no brackets
  std::string connect_url;  // http://HOST:PORT/, whatever the scheme
  uint16_t port = 0;

  bool operator==(const Origin& other) const { return tls == other.tls && connect_url == other.connect_url; }
  std::string key() const { return (tls ? "s " : "p ") + connect_url; }
};

struct Target {
  Origin origin;
  std::string authority;  // of the Host header
  std::string path;       // with the query, never empty
};

// None: no URL, or neither http nor https.
std::optional<Target> parse_target(const std::string& url);

// What the environment says of proxies (http_proxy, https_proxy, all_proxy, no_proxy), by libcurl's rules; read once.
class Proxies {
 public:
  struct Proxy {
    std::string url;  // as libcurl takes it
    std::string host;
    uint16_t port = 0;
    bool looks_up = true;  // the proxy, not we, looks up the target's name
  };

  static Proxies of_environment();
  const Proxy* of(const Origin& origin) const;  // null: the target is asked directly

 private:
  bool bypassed(const std::string& host) const;

  std::optional<Proxy> http_, https_;
  std::vector<std::string> direct_;  // of no_proxy
};

}  // namespace tokenrelay::client
