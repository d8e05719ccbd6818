#include "service/upstream/http_request.h"

#include <algorithm>

#include "service/text/ascii.h"

namespace tokenrelay::upstream {

std::vector<std::string> request_headers(const std::string& request_id, const ProviderOptions& options,
                                         std::initializer_list<std::pair<const char*, std::string>> own,
                                         bool with_body) {
  std::vector<std::string> lines;
  const auto add = [&](const char* name, const std::string& value) {
    const bool configured = std::any_of(options.headers.begin(), options.headers.end(),
                                        [name](const auto& header) { return text::same_text(header.first, name); });
    if (!value.empty() && !configured) lines.push_back(std::string(name) + ": " + value);
  };
  if (with_body) add("Content-Type", "application/json");
  add("Accept", "text/event-stream");
  for (const auto& [name, value] : own) add(name, value);
  add("Request-Id", request_id);
  add("X-Request-Id", request_id);
  for (const auto& [name, value] : options.headers) lines.push_back(name + ": " + value);
  return lines;
}

std::string bearer(const ProviderOptions& options) {
  return options.api_key.empty() ? std::string() : "Bearer " + options.api_key;
}

std::string joined_url(const std::string& base_url, const std::string& path) {
  return base_url.substr(0, base_url.find_last_not_of('/') + 1) + path;
}

}  // namespace tokenrelay::upstream
