#include "service/client/http_head.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "service/text/ascii.h"

namespace tokenrelay::client {
namespace {

constexpr int64_t max_retry_after_ms = 24 * 3600 * 1000;

// A count of seconds or milliseconds, with or without a fraction.
std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || stop != text.data() + text.size() || !(value >= 0)) return std::nullopt;
  return value;
}

std::optional<int64_t> retry_after(std::string_view value, double unit_ms, int64_t wall_ms) {
  if (const auto number = number_of(value)) {
    return static_cast<int64_t>(std::min(*number * unit_ms, static_cast<double>(max_retry_after_ms)));
  }
  const time_t date = curl_getdate(std::string(value).c_str(), nullptr);  // RFC 9110's date formats
  if (date == -1 || unit_ms == 1) return std::nullopt;
  return std::clamp<int64_t>(static_cast<int64_t>(date) * 1000 - wall_ms, 0, max_retry_after_ms);
}

void take_status_line(HttpHead& head, std::string_view line) {
  head = HttpHead{};
  const size_t space = line.find(' ');
  if (space == line.npos) return;
  const std::string_view digits = line.substr(space + 1, 3);
  std::from_chars(digits.data(), digits.data() + digits.size(), head.status);
}

}  // namespace

bool take_head_line(HttpHead& head, std::string_view line, int64_t wall_ms) {
  if (line.substr(0, 5) == "HTTP/") {
    take_status_line(head, line);
    return false;
  }
  line = text::strip(line);
  if (line.empty()) return head.status >= 200;
  const size_t colon = line.find(':');
  if (colon == line.npos) return false;
  const std::string name = text::lower(line.substr(0, colon));
  const std::string_view value = text::strip(line.substr(colon + 1));
  head.fields.emplace_back(name, value);
  if (name == "content-type") head.content_type = text::lower(text::strip(value.substr(0, value.find(';'))));
  if (name == "content-encoding") {
    if (!head.content_encoding.empty()) head.content_encoding += ", ";
    head.content_encoding += text::lower(value);
  }
  if (name == "x-should-retry" && (value == "true" || value == "false")) head.should_retry = value == "true";
  if (name == "retry-after-ms") {
    if (const auto ms = retry_after(value, 1, wall_ms)) head.retry_after_ms = ms;
  }
  if (name == "retry-after" && !head.retry_after_ms) head.retry_after_ms = retry_after(value, 1000, wall_ms);
  return false;
}

}  // namespace tokenrelay::client
