#include "service/upstream/gemini/error.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>

#include "service/json/sax.h"
#include "service/upstream/error.h"

namespace tokenrelay::upstream {
namespace {

using json::Reader;

constexpr double max_retry_seconds = 24 * 3600;

struct Details {
  std::optional<int64_t> retry_after_ms;
  bool bad_key = false;
};

// A google.protobuf.Duration: "2s", "1.5s".
std::optional<int64_t> read_duration(std::string_view text) {
  double seconds = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool whole = error == std::errc() && stop + 1 == text.data() + text.size() && *stop == 's';
  if (!whole || !(seconds >= 0)) return std::nullopt;
  return static_cast<int64_t>(std::min(seconds, max_retry_seconds) * 1000);
}

void read_detail(Reader& in, Details& details) {
  in.object([&](std::string_view key) {
    if (key == "retryDelay")
      details.retry_after_ms = read_duration(in.string());
    else if (key == "reason")
      details.bad_key |= in.string() == "API_KEY_INVALID";
  });
}

Details read_details(std::string_view body) {
  Details details;
  std::string scratch;
  Reader in(body, scratch);
  in.object([&](std::string_view key) {
    if (key != "error") return;
    in.object([&](std::string_view member) {
      if (member == "details")
        in.array([&] { read_detail(in, details); });
      else if (member == "message")
        details.bad_key |= in.string().find("API key not valid") != std::string_view::npos;
    });
  });
  return details;
}

// A server that ignores alt=sse sends the object in an array.
std::string_view first_element(std::string_view body) {
  std::string scratch;
  Reader in(body, scratch);
  if (in.peek() != Reader::Kind::array) return body;
  std::string_view first;
  in.array([&] {
    const std::string_view element = in.raw();
    if (first.empty()) first = element;
  });
  return first.empty() ? body : first;
}

// The status of a google.rpc.Code's name, for errors without a number.
std::string code_of(std::string_view status) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> codes = {
      {{"INVALID_ARGUMENT", "400"},
       {"FAILED_PRECONDITION", "400"},
       {"OUT_OF_RANGE", "400"},
       {"UNAUTHENTICATED", "401"},
       {"PERMISSION_DENIED", "403"},
       {"NOT_FOUND", "404"},
       {"RESOURCE_EXHAUSTED", "429"},
       {"INTERNAL", "500"},
       {"UNKNOWN", "500"},
       {"UNAVAILABLE", "503"},
       {"DEADLINE_EXCEEDED", "504"}}};
  for (const auto& [name, code] : codes) {
    if (status == name) return std::string(code);
  }
  return {};
}

}  // namespace

Error gemini_error(const client::HttpHead& head, std::string_view body) {
  body = first_element(body);
  ProviderError error = parse_error_body(body);
  if (error.code.empty()) error.code = code_of(error.type);
  const Details details = read_details(body);
  Error failure = head.status / 100 == 2 ? error_in_stream(error, head.status) : error_of_status(head, error);
  if (details.retry_after_ms) failure.retry_after_ms = details.retry_after_ms;
  if (details.bad_key && failure.code == ErrorCode::upstream_bad_request) {
    failure.code = ErrorCode::upstream_auth;
    failure.message = "the upstream refused the relay's credential";
  }
  return failure;
}

}  // namespace tokenrelay::upstream
