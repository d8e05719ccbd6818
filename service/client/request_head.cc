#include "service/client/request_head.h"

#include <algorithm>

#include "service/text/ascii.h"

namespace tokenrelay::client {
namespace {

constexpr std::string_view ours[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect",
                                     "TE",   "Upgrade"};

std::string_view name_of(std::string_view line) {
  return line.substr(0, line.find(':'));
}

bool goes_out(const std::string& line) {
  if (!is_safe_header(line)) return false;
  const std::string_view name = name_of(line), value = std::string_view(line).substr(name.size() + 1);
  if (name.empty() || value.find_first_not_of(" \t") == value.npos) return false;
  return std::none_of(std::begin(ours), std::end(ours),
                      [&](std::string_view own) { return text::same_text(own, name); });
}

}  // namespace

bool is_safe_header(std::string_view line) {
  return line.find_first_of(std::string_view("\r\n\0", 3)) == line.npos && line.find(':') != line.npos;
}

std::string request_head(const HttpRequest& request, const Target& target) {
  const bool post = request.method == HttpRequest::Method::post;
  std::string text = (post ? "POST " : "GET ") + target.path + " HTTP/1.1\r\nHost: " + target.authority + "\r\n";
  const auto append = [&](std::string_view line) { text.append(line).append("\r\n"); };
  for (const std::string_view line : {"User-Agent: tokenrelay", "Accept: */*", "Accept-Encoding: identity"}) {
    const auto replaces = [&](const std::string& other) {
      return goes_out(other) && text::same_text(name_of(other), name_of(line));
    };
    if (std::none_of(request.headers.begin(), request.headers.end(), replaces)) append(line);
  }
  for (const std::string& line : request.headers) {
    if (goes_out(line)) append(line);
  }
  if (post) append("Content-Length: " + std::to_string(request.body ? request.body->size() : 0));
  text += "\r\n";
  return text;
}

}  // namespace tokenrelay::client
