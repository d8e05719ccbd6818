#include "service/api/request_parts.h"

#include <openssl/sha.h>

#include <algorithm>
#include <cctype>

#include "service/text/ascii.h"

namespace tokenrelay::api {
tl::expected<std::optional<relay::EventId>, std::string> read_cursor(const http::Request& request) {
  std::string_view text = request.header("last-event-id").value_or("");
  std::string_view where = "the Last-Event-ID header";
  if (text.empty()) {
    text = request.query_value("last_event_id").value_or("");
    where = "the query parameter last_event_id";
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
  return tl::make_unexpected(std::string("the query parameter coalesce must be 0 or 1"));
}

std::optional<std::string> not_json(const http::Request& request) {
  const std::string type = text::lower(request.header("content-type").value_or(""));
  const auto semicolon = type.find(';');
  std::string media = type.substr(0, semicolon);
  while (!media.empty() && (media.back() == ' ' || media.back() == '\t')) media.pop_back();
  if (media != "application/json") return "Content-Type must be application/json";
  const auto charset = semicolon == std::string::npos ? semicolon : type.find("charset=", semicolon);
  if (charset != std::string::npos) {
    const auto value = type.substr(charset + 8);
    if (!value.starts_with("utf-8") && !value.starts_with("\"utf-8\"")) return "the body's charset must be UTF-8";
  }
  const std::string coding = text::lower(request.header("content-encoding").value_or("identity"));
  if (coding != "identity") return "Content-Encoding is not supported: send the body unencoded";
  return std::nullopt;
}

std::string sha256(std::string_view bytes) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), digest);
  return std::string(reinterpret_cast<const char*>(digest), sizeof digest);
}

}  // namespace tokenrelay::api
