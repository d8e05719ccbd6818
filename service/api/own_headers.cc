#include "service/api/own_headers.h"

#include <algorithm>
#include <cctype>

#include "service/text/ascii.h"

namespace tokenrelay::api {
namespace {

// What SDKs and agents tell their own provider.
constexpr std::string_view prefixes[] = {"anthropic-", "openai-", "x-goog-", "x-codex-", "x-claude-"};
constexpr std::string_view names[] = {"originator", "session_id", "session-id",  "thread-id",
                                      "x-app",      "x-title",    "http-referer"};
// Credentials, and what belongs to this connection.
constexpr std::string_view never[] = {"x-goog-api-key",
                                      "x-goog-iam-authorization-token",
                                      "openai-api-key",
                                      "anthropic-api-key",
                                      "authorization",
                                      "x-api-key",
                                      "api-key",
                                      "cookie",
                                      "host",
                                      "connection",
                                      "content-length",
                                      "content-type",
                                      "content-encoding",
                                      "transfer-encoding",
                                      "accept",
                                      "accept-encoding",
                                      "te",
                                      "trailer",
                                      "upgrade",
                                      "expect",
                                      "request-id",
                                      "x-request-id",
                                      "x-tokenrelay-key",
                                      "proxy-authorization"};
constexpr std::string_view not_up[] = {"alt", "$alt", "key", "api_key", "access_token", "token", "last_event_id"};

template <class List>
bool is_in(const List& list, std::string_view name) {
  return std::find(std::begin(list), std::end(list), name) != std::end(list);
}

bool goes_up(std::string_view name, const std::vector<std::string>& pass_headers) {
  if (is_in(never, name)) return false;
  const bool prefixed = std::any_of(std::begin(prefixes), std::end(prefixes),
                                    [name](std::string_view prefix) { return name.starts_with(prefix); });
  return prefixed || is_in(names, name) ||
         std::any_of(pass_headers.begin(), pass_headers.end(),
                     [name](const std::string& passed) { return text::same_text(passed, name); });
}

void append_encoded(std::string& out, std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  for (const unsigned char c : text) {
    if (c < 0x80 &&
        (std::isalnum(c) || std::string_view("-._~").find(static_cast<char>(c)) != std::string_view::npos)) {
      out += static_cast<char>(c);
    } else {
      out += {'%', digits[c >> 4], digits[c & 15]};
    }
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> headers_up(const http::Request& request,
                                                            const std::vector<std::string>& pass_headers) {
  std::vector<std::pair<std::string, std::string>> up;
  for (const auto& [name, value] : request.headers) {
    if (value.empty() || !goes_up(name, pass_headers)) continue;
    const auto before = std::find_if(up.begin(), up.end(), [&](const auto& one) { return one.first == name; });
    if (before == up.end()) {
      up.emplace_back(name, value);
    } else {
      before->second += ", " + value;
    }
  }
  return up;
}

std::string query_up(const http::Request& request) {
  std::string out;
  for (const auto& [name, value] : request.query) {
    if (is_in(not_up, name)) continue;
    if (!out.empty()) out += '&';
    append_encoded(out, name);
    out += '=';
    append_encoded(out, value);
  }
  return out;
}

}  // namespace tokenrelay::api
