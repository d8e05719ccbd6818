#include "service/upstream/error.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <initializer_list>

#include "service/json/joiner.h"
#include "service/json/sax.h"
#include "service/json/utf8.h"
#include "service/text/ascii.h"
#include "service/upstream/secrets.h"

namespace tokenrelay::upstream {
namespace {

using Kind = json::Reader::Kind;

constexpr size_t max_message_bytes = 500, max_searched_bytes = 8 << 10;

std::string scalar(json::Reader& in) {
  if (in.peek() == Kind::string) return std::string(in.string());
  if (in.peek() == Kind::number) return std::string(in.number());
  in.skip();
  return {};
}

// FastAPI's {"detail":"…"} or {"detail":[{"msg":"…"}]}.
std::string read_detail(json::Reader& in) {
  if (in.peek() != Kind::array) return scalar(in);
  std::string message;
  in.array([&] {
    in.object([&](std::string_view key) {
      if (key == "msg" && message.empty()) message = scalar(in);
    });
  });
  return message;
}

void read_error_object(json::Reader& in, ProviderError& error) {
  std::optional<ProviderError> nested;
  in.object([&](std::string_view key) {
    if (key == "error")
      nested = read_error(in);
    else if (key == "message")
      error.message = scalar(in);
    else if (key == "detail" && error.message.empty())
      error.message = read_detail(in);
    else if (key == "type")
      error.type = scalar(in);
    else if (key == "code")
      error.code = scalar(in);
    else if (key == "status" && error.type.empty())
      error.type = scalar(in);
  });
  if (!nested) return;
  if (nested->code.empty()) nested->code = error.code;
  if (nested->type.empty()) nested->type = error.type;
  if (nested->message.empty()) nested->message = error.message;
  error = std::move(*nested);
}

bool names_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [text](auto word) { return text.find(word) != text.npos; });
}

struct Class {
  ErrorCode code;
  bool retryable;
};

Class class_of_status(int status) {
  switch (status) {
    case 429:
      return {ErrorCode::upstream_rate_limited, true};
    case 503:
    case 529:
      return {ErrorCode::upstream_overloaded, true};
    case 401:
    case 403:
      return {ErrorCode::upstream_auth, false};
    case 400:
    case 404:
    case 413:
    case 422:
      return {ErrorCode::upstream_bad_request, false};
    case 408:
      return {ErrorCode::upstream_error, true};
    default:
      return {ErrorCode::upstream_error, status >= 500 && status != 501 && status != 505};
  }
}

// A spend cap is reported as a 429, but waiting does not help.
bool is_spent(std::string_view words) {
  return names_any(words, {"insufficient_quota", "spend_limit", "billing"});
}

Class class_of_words(const ProviderError& error) {
  int status = 0;
  const auto [stop, failed] = std::from_chars(error.code.data(), error.code.data() + error.code.size(), status);
  const bool whole = failed == std::errc() && stop == error.code.data() + error.code.size();
  if (whole && status >= 400 && status < 600) return class_of_status(status);
  const std::string words = text::lower(error.code + ' ' + error.type);
  if (is_spent(words)) return {ErrorCode::upstream_rate_limited, false};
  if (names_any(words, {"rate_limit", "ratelimit", "resource_exhausted", "too_many_requests"})) {
    return {ErrorCode::upstream_rate_limited, true};
  }
  if (names_any(words, {"overloaded", "unavailable"})) return {ErrorCode::upstream_overloaded, true};
  if (names_any(words, {"authentication", "permission", "api_key", "unauthorized", "forbidden"})) {
    return {ErrorCode::upstream_auth, false};
  }
  if (names_any(words, {"invalid_request", "badrequest", "bad_request", "not_found", "notfound", "context_length"})) {
    return {ErrorCode::upstream_bad_request, false};
  }
  return {ErrorCode::upstream_error,
          names_any(words, {"server_error", "servererror", "internal", "api_error", "timeout"})};
}

}  // namespace

std::optional<ProviderError> read_error(json::Reader& in) {
  ProviderError error;
  switch (in.peek()) {
    case Kind::object:
      read_error_object(in, error);
      return error;
    case Kind::string:
      error.message = std::string(in.string());
      return error;
    case Kind::number:
      error.code = std::string(in.number());
      return error;
    case Kind::boolean:
      if (in.boolean()) return error;
      return std::nullopt;
    case Kind::array:
      in.skip();
      return error;
    default:
      in.skip();
      return std::nullopt;
  }
}

ProviderError parse_error_body(std::string_view body) {
  std::string scratch;
  json::Reader in(body, scratch);
  const auto error = read_error(in);
  if (error && in.at_end()) return *error;
  ProviderError text;
  // A proxy's HTML page is useless to a client; plain text may help.
  if (body.find('<') == body.npos) text.message = std::string(body);  // cut once its secrets are hidden
  return text;
}

Error error_of_status(const client::HttpHead& head, const ProviderError& error) {
  const Class found = class_of_status(head.status);
  Error failure{found.code, error.message, found.retryable, head.retry_after_ms, head.status};
  if (found.code == ErrorCode::upstream_auth) {
    failure.message = "the upstream refused the relay's credential";  // the upstream's message may quote the key
  } else if (failure.message.empty()) {
    failure.message = "the upstream answered with status " + std::to_string(head.status);
  }
  if (head.should_retry == false || is_spent(text::lower(error.code + ' ' + error.type))) failure.retryable = false;
  return failure;
}

Error error_in_stream(const ProviderError& error, int http_status) {
  const Class found = class_of_words(error);
  Error failure{found.code, error.message, found.retryable, std::nullopt, http_status};
  if (found.code == ErrorCode::upstream_auth) {
    failure.message = "the upstream refused the relay's credential";
  } else if (failure.message.empty()) {
    failure.message = "the upstream reported an error";
  }
  return failure;
}

Error error_of_transfer(const client::TransferEnd& end, int http_status) {
  using Cause = client::TransferEnd::Cause;
  const auto make = [&](ErrorCode code, std::string what, bool retryable) {
    if (!end.message.empty()) what += ": " + end.message;
    return Error{code, std::move(what), retryable, std::nullopt, http_status};
  };
  switch (end.cause) {
    case Cause::unreachable:
    case Cause::connect_timeout:
      return make(ErrorCode::upstream_unreachable, "cannot connect to the upstream", true);
    case Cause::first_byte_timeout:
    case Cause::idle_timeout:
      return make(ErrorCode::upstream_timeout, "the upstream stopped responding", true);
    case Cause::undecodable:
      return make(ErrorCode::upstream_protocol, "the upstream's response cannot be decoded", false);
    case Cause::not_http:
      return make(ErrorCode::upstream_protocol, "the upstream's response is not valid HTTP", false);
    case Cause::clean:
    case Cause::cut:
      break;
  }
  return make(ErrorCode::upstream_truncated, "the upstream's response ended before it was complete", true);
}

Error protocol_error(std::string message, int http_status) {
  return {ErrorCode::upstream_protocol, std::move(message), false, std::nullopt, http_status};
}

std::string client_message(std::string_view text, const ProviderOptions& options) {
  // Masking makes it shorter. What the first cut leaves of a secret at its end goes too.
  if (text.size() > max_searched_bytes) {
    text = text.substr(0, std::min(text.find_last_of(" \n", max_searched_bytes), max_searched_bytes));
  }
  std::string message = without_secrets(json::repaired(text), options);
  for (char& c : message) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  message.resize(json::utf8_prefix(message, max_message_bytes));
  return message;
}

}  // namespace tokenrelay::upstream
