// Where a request goes: its URL taken apart (RFC 3986, by libcurl's parser), and whether the environment has a proxy in
// between.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tokenrelay::upstream {

// What a connection leads to; equal ones may share it.
struct Origin {
  bool tls = false;
  std::string host;      // as certificates name it: lower case or an address, no brackets
  std::string dial_url;  // http://HOST:PORT/, whatever the scheme

  bool operator==(const Origin& other) const { return tls == other.tls && dial_url == other.dial_url; }
  std::string key() const { return (tls ? "s " : "p ") + dial_url; }
};

struct Target {
  Origin origin;
  std::string authority;  // of the Host header
  std::string path;       // with the query, never empty
};

// None: no URL, or neither http nor https.
std::optional<Target> parse_target(const std::string& url);

// The usual variables (http_proxy, https_proxy, all_proxy), as libcurl reads them; read once.
struct Proxies {
  static Proxies of_environment();
  bool apply_to(const Origin& origin) const { return origin.tls ? https : http; }

  bool http = false, https = false;
};

}  // namespace tokenrelay::upstream
