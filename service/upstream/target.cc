#include "service/upstream/target.h"

#include <curl/curl.h>

#include <algorithm>
#include <cstdlib>
#include <initializer_list>
#include <memory>

namespace tokenrelay::upstream {
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

bool any_set(std::initializer_list<const char*> names) {
  return std::any_of(names.begin(), names.end(), [](const char* name) {
    const char* const value = std::getenv(name);
    return value && *value;
  });
}

std::string without_brackets(std::string host) {
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) { return std::tolower(c); });
  return host;
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
  target.origin.dial_url = part(url, CURLUPART_URL);
  return target;
}

// Not HTTP_PROXY: a CGI program would take it from its client (libcurl, CURLOPT_PROXY).
Proxies Proxies::of_environment() {
  const bool all = any_set({"all_proxy", "ALL_PROXY"});
  return {all || any_set({"http_proxy"}), all || any_set({"https_proxy", "HTTPS_PROXY"})};
}

}  // namespace tokenrelay::upstream
