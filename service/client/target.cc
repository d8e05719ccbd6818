#include "service/client/target.h"

#include <arpa/inet.h>
#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <initializer_list>
#include <memory>
#include <sstream>

#include "service/text/ascii.h"

namespace tokenrelay::client {
namespace {

using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

std::string part(const Url& url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url.get(), which, &text, flags) != CURLUE_OK) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

bool set(const Url& url, CURLUPart which, const char* value) {
  return curl_url_set(url.get(), which, value, 0) == CURLUE_OK;
}

std::string first_set(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* const value = std::getenv(name); value && *value) return value;
  }
  return {};
}

std::string without_brackets(std::string host) {
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) { return std::tolower(c); });
  return host;
}

uint16_t port_of(const std::string& text) {
  uint16_t port = 0;
  std::from_chars(text.data(), text.data() + text.size(), port);
  return port;
}

// As for libcurl, a proxy's default scheme is http, and its default port 1080 (https: 443).
std::optional<Proxies::Proxy> parse_proxy(const std::string& text) {
  if (text.empty()) return std::nullopt;
  Proxies::Proxy out;
  out.url = text.find("://") == std::string::npos ? "http://" + text : text;
  const Url url(curl_url(), &curl_url_cleanup);
  if (!url || curl_url_set(url.get(), CURLUPART_URL, out.url.c_str(), CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
    return out;
  const std::string scheme = part(url, CURLUPART_SCHEME), port = part(url, CURLUPART_PORT);
  out.host = without_brackets(part(url, CURLUPART_HOST));
  out.port = !port.empty() ? port_of(port) : scheme == "https" ? 443 : 1080;
  out.looks_up = scheme != "socks4" && scheme != "socks5";
  return out;
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

std::string_view without_last_dot(std::string_view name) {
  return name.ends_with('.') ? name.substr(0, name.size() - 1) : name;
}

// Whether `host`, an address, is `network` or lies in it: ADDRESS or ADDRESS/BITS. 0 bits count as all of them.
bool in_network(const std::string& host, std::string_view network) {
  const size_t slash = std::min(network.find('/'), network.size());
  const std::string base(network.substr(0, slash));
  unsigned bits = 0;
  if (slash < network.size()) {
    const auto read = std::from_chars(network.data() + slash + 1, network.data() + network.size(), bits);
    if (read.ec != std::errc() || read.ptr != network.data() + network.size()) return false;
  }
  for (const int family : {AF_INET, AF_INET6}) {
    unsigned char a[16] = {}, b[16] = {};
    const unsigned most = family == AF_INET ? 32 : 128;
    if (bits > most || ::inet_pton(family, host.c_str(), a) != 1 || ::inet_pton(family, base.c_str(), b) != 1) continue;
    if (bits == 0) bits = most;
    const unsigned whole = bits / 8, rest = bits % 8;
    if (!std::equal(a, a + whole, b)) return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
  }
  return false;
}

}  // namespace

std::optional<Target> parse_target(const std::string& text) {
  const Url url(curl_url(), &curl_url_cleanup);
  if (!url || !set(url, CURLUPART_URL, text.c_str())) return std::nullopt;
  const std::string scheme = part(url, CURLUPART_SCHEME), query = part(url, CURLUPART_QUERY);
  if (scheme != "http" && scheme != "https") return std::nullopt;
  const std::string host = part(url, CURLUPART_HOST, CURLU_PUNYCODE);
  const std::string port = part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT), given_port = part(url, CURLUPART_PORT);
  if (host.empty() || port.empty()) return std::nullopt;
  Target target;
  target.origin.tls = scheme == "https";
  target.origin.host = without_brackets(host);
  target.origin.port = port_of(port);
  target.authority = given_port.empty() ? host : host + ':' + given_port;
  target.path = part(url, CURLUPART_PATH) + (query.empty() ? "" : '?' + query);
  for (const CURLUPart gone :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    set(url, gone, nullptr);
  }
  if (!set(url, CURLUPART_SCHEME, "http") || !set(url, CURLUPART_PORT, port.c_str()) ||
      !set(url, CURLUPART_PATH, "/")) {
    return std::nullopt;
  }
  target.origin.connect_url = part(url, CURLUPART_URL);
  return target;
}

// Not HTTP_PROXY: in a CGI program its value comes from the client, so libcurl ignores it, too.
Proxies Proxies::of_environment() {
  Proxies out;
  const std::string all = first_set({"all_proxy", "ALL_PROXY"});
  const auto or_all = [&](const std::string& own) { return parse_proxy(own.empty() ? all : own); };
  out.http_ = or_all(first_set({"http_proxy"}));
  out.https_ = or_all(first_set({"https_proxy", "HTTPS_PROXY"}));
  std::string names = first_set({"no_proxy", "NO_PROXY"});
  std::replace(names.begin(), names.end(), ',', ' ');
  std::istringstream words(names);
  for (std::string word; words >> word;) out.direct_.push_back(text::lower(word));
  return out;
}

const Proxies::Proxy* Proxies::of(const Origin& origin) const {
  const auto& proxy = origin.tls ? https_ : http_;
  return proxy && !bypassed(origin.host) ? &*proxy : nullptr;
}

// libcurl's rules (7.86 and later): "*" alone is everything; an address is compared with addresses and networks, a name
// with names and the ends of names at a dot, whatever dots lead or trail.
bool Proxies::bypassed(const std::string& host) const {
  if (direct_.size() == 1 && direct_.front() == "*") return true;
  const std::string_view name = without_last_dot(host);
  return std::any_of(direct_.begin(), direct_.end(), [&](std::string_view direct) {
    if (is_address(host)) return in_network(host, direct);
    direct = without_last_dot(direct);
    if (direct.starts_with('.')) direct.remove_prefix(1);
    if (direct.empty() || !name.ends_with(direct)) return false;
    return name.size() == direct.size() || name[name.size() - direct.size() - 1] == '.';
  });
}

}  // namespace tokenrelay::client
