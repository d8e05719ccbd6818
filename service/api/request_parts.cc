#include "service/api/request_parts.h"

#include <openssl/sha.h>

#include <algorithm>

namespace tokenrelay::api {

tl::expected<std::optional<relay::EventId>, std::string> read_cursor(const http::Request& request) {
  std::string_view text = request.header("last-event-id").value_or("");
  std::string_view where = "the Last-Event-ID header";
  if (text.empty()) {
    text = request.query_value("last_event_id").value_or("");
    where = "the query's last_event_id";
  }
  if (text.empty()) return std::nullopt;
  auto id = relay::parse_event_id(text);
  if (!id) return tl::make_unexpected(std::string(where) + " is not an event id");
  return id;
}

tl::expected<bool, std::string> read_coalesce(const http::Request& request) {
  const auto text = request.query_value("coalesce").value_or("1");
  if (text == "0") return false;
  if (text == "1") return true;
  return tl::make_unexpected(std::string("the query's coalesce must be 0 or 1"));
}

std::string media_type(const http::Request& request) {
  std::string_view value = request.header("content-type").value_or("");
  value = value.substr(0, value.find(';'));
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  std::string out(value);
  std::transform(out.begin(), out.end(), out.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string sha256(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return std::string(reinterpret_cast<const char*>(digest), sizeof digest);
}

}  // namespace tokenrelay::api
