#include "service/upstream/http_request.h"

#include <algorithm>

#include "service/text/ascii.h"
#include "service/upstream/own_request.h"

namespace tokenrelay::upstream {

std::vector<std::string> request_headers(const std::string& request_id, const ProviderOptions& options,
                                         std::initializer_list<std::pair<const char*, std::string>> set,
                                         const OwnRequest* own, bool with_body) {
  std::vector<std::string> lines;
  const auto is_in = [](const auto& headers, std::string_view name) {
    return std::any_of(headers.begin(), headers.end(),
                       [name](const auto& header) { return text::same_text(header.first, name); });
  };
  const auto add = [&](std::string_view name, const std::string& value, bool is_own = false) {
    const bool replaced = is_in(options.headers, name) || (!is_own && own != nullptr && is_in(own->headers, name));
    if (!value.empty() && !replaced) lines.push_back(std::string(name) + ": " + value);
  };
  if (with_body) add("Content-Type", "application/json");
  add("Accept", "text/event-stream");
  for (const auto& [name, value] : set) add(name, value);
  add("Request-Id", request_id);
  add("X-Request-Id", request_id);
  if (own != nullptr) {
    for (const auto& [name, value] : own->headers) add(name, value, true);
  }
  for (const auto& [name, value] : options.headers) lines.push_back(name + ": " + value);
  return lines;
}

std::string bearer(const ProviderOptions& options) {
  return options.api_key.empty() ? std::string() : "Bearer " + options.api_key;
}

std::string joined_url(const std::string& base_url, const std::string& path) {
  return base_url.substr(0, base_url.find_last_not_of('/') + 1) + path;
}

std::string with_query(std::string url, const OwnRequest* own) {
  if (own == nullptr || own->query.empty()) return url;
  return url + (url.find('?') == url.npos ? "?" : "&") + own->query;
}

}  // namespace tokenrelay::upstream
