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

bool is_any(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

// A value that says that there is no error, or no code of one.
bool is_nothing(std::string_view raw) {
  if (is_any(raw, {"null", "false", "0", "0.0", "\"\"", "\"0\""})) return true;
  return raw.size() > 1 && (raw.front() == '{' || raw.front() == '[') &&
         text::strip(raw.substr(1, raw.size() - 2)).empty();
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

// What an object says about an error, and whether it says that it is one.
struct ErrorObject {
  ProviderError error;
  std::optional<ProviderError> nested;
  bool says = false;    // some member is more than nothing
  bool claims = false;  // by its members it is an error and nothing else

  void member(std::string_view key, std::string_view raw, json::Reader& in);
  void take_code(std::string code) {
    if (error.code.empty()) error.code = std::move(code);
    claims |= !is_any(error.code, {"", "0", "200", "success", "ok", "OK"});
  }
};

void ErrorObject::member(std::string_view key, std::string_view raw, json::Reader& in) {
  const bool nothing = is_nothing(raw);
  says |= !nothing;
  if (is_any(key, {"error", "errors", "base_resp"})) {
    if (!nested) nested = read_error(in);
    claims |= nested.has_value();
  } else if (is_any(key, {"message", "Message", "msg", "status_msg", "error_msg", "error_message", "errorMessage"})) {
    if (error.message.empty()) error.message = scalar(in);
  } else if (key == "detail") {
    if (error.message.empty()) error.message = read_detail(in);
    claims |= !nothing;  // FastAPI says nothing else
  } else if (is_any(key, {"code", "status_code", "error_code", "errorCode"})) {
    take_code(nothing ? "" : scalar(in));
  } else if (key == "type") {
    error.type = scalar(in);
    claims |= error.type.find("rror") != error.type.npos;
  } else if (key == "status") {
    const bool number = in.peek() == Kind::number;
    const std::string status = scalar(in);
    if (number) return take_code(status);
    if (error.type.empty()) error.type = status;
    claims |= is_any(status, {"error", "failed", "fail"});
  } else if (is_any(key, {"success", "object"})) {
    claims |= is_any(raw, {"false", "\"error\""});
  }
}

ErrorObject read_error_object(std::string_view object) {
  ErrorObject found;
  std::string outer, inner;
  json::Reader in(object, outer);
  in.object([&](std::string_view name) {
    const std::string key(name);
    const std::string_view raw = in.raw();
    json::Reader value(raw, inner);
    found.member(key, raw, value);
  });
  if (!found.nested) return found;
  ProviderError& nested = *found.nested;
  if (nested.code.empty()) nested.code = found.error.code;
  if (nested.type.empty()) nested.type = found.error.type;
  if (nested.message.empty()) nested.message = found.error.message;
  found.error = std::move(nested);
  return found;
}

std::optional<ProviderError> first_error(json::Reader& array) {
  std::optional<ProviderError> found;
  array.array([&] {
    if (!found) found = read_error(array);
  });
  return found;
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
    case 498:  // Groq: its cheap tier has no room
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
    case 409:
    case 425:
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
  if (names_any(words, {"rate_limit", "ratelimit", "resource_exhausted", "too_many_requests", "throttl"})) {
    return {ErrorCode::upstream_rate_limited, true};
  }
  if (names_any(words, {"overloaded", "unavailable", "capacity_exceeded"}))
    return {ErrorCode::upstream_overloaded, true};
  if (names_any(words, {"authentication", "permission", "api_key", "unauthorized", "forbidden"})) {
    return {ErrorCode::upstream_auth, false};
  }
  if (names_any(words, {"invalid_request", "badrequest", "bad_request", "not_found", "notfound", "context_length"})) {
    return {ErrorCode::upstream_bad_request, false};
  }
  // Codes of a provider's own (1002) say nothing here; its sentence may.
  if (names_any(text::lower(error.message), {"rate limit", "too many requests"})) {
    return {ErrorCode::upstream_rate_limited, true};
  }
  return {ErrorCode::upstream_error,
          names_any(words, {"server_error", "servererror", "internal", "api_error", "timeout", "network_error"})};
}

// A 500 that is about the request will be the same every time: by its type or code, or by what it says. llama.cpp
// answers so to what its model cannot do ("image input is not supported", type server_error).
bool blames_request(int status, const ProviderError& error) {
  if (status < 500) return false;
  if (names_any(text::lower(error.code + ' ' + error.type), {"invalid_request", "badrequest", "bad_request"}))
    return true;
  return status == 500 && names_any(text::lower(error.message), {"not supported", "not support ", "unsupported"});
}

}  // namespace

std::optional<ProviderError> read_error(json::Reader& in) {
  const Kind kind = in.peek();
  if (kind == Kind::array) return first_error(in);
  const std::string_view raw = in.raw();
  if (kind == Kind::nothing || raw.empty() || is_nothing(raw)) return std::nullopt;
  if (kind == Kind::object) {
    const ErrorObject found = read_error_object(raw);
    return found.says ? std::optional(found.error) : std::nullopt;
  }
  std::string scratch;
  json::Reader value(raw, scratch);
  ProviderError error;
  if (kind == Kind::string) error.message = std::string(value.string());
  if (kind == Kind::number) error.code = std::string(value.number());
  return error;
}

ProviderError parse_error_body(std::string_view body) {
  std::string scratch;
  json::Reader in(body, scratch);
  const auto error = read_error(in);
  if (in.at_end()) return error.value_or(ProviderError());
  ProviderError text;
  // A proxy's HTML page is useless to a client; plain text may help.
  if (body.find('<') == body.npos) text.message = std::string(body);  // cut once its secrets are hidden
  return text;
}

std::optional<ProviderError> error_without_name(std::string_view payload) {
  std::string scratch;
  json::Reader in(payload, scratch);
  if (in.peek() == Kind::array) {
    std::optional<ProviderError> found;
    in.array([&] {
      // One level: deeper, each would be read once more for every array around it.
      if (!found && in.peek() == Kind::object) found = error_without_name(in.raw());
    });
    return found;
  }
  if (in.peek() != Kind::object) return std::nullopt;
  const ErrorObject found = read_error_object(payload);
  return found.claims ? std::optional(found.error) : std::nullopt;
}

bool is_failure_reason(std::string_view word) {
  return names_any(text::lower(word), {"error", "fail", "timeout", "timed_out", "abort", "cancel", "exception",
                                       "interrupt", "overload", "unavailable", "insufficient_system_resource"});
}

Error error_of_reason(std::string_view word) {
  return {ErrorCode::upstream_error, "the upstream stopped with the reason " + raw_reason(word), true, std::nullopt, 0};
}

Error error_of_status(const client::HttpHead& head, const ProviderError& error) {
  Class found = class_of_status(head.status);
  if (blames_request(head.status, error)) found = {ErrorCode::upstream_bad_request, false};
  Error failure{found.code, error.message, found.retryable, head.retry_after_ms, head.status};
  if (found.code == ErrorCode::upstream_auth) {
    failure.message = "the upstream refused the relay's credential";  // the upstream's message may quote the key
  } else if (head.status / 100 == 3) {
    failure.message = "the upstream answered with a redirect (status " + std::to_string(head.status) +
                      "), which the relay does not follow: set base_url to the address behind it";
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

Error protocol_error(std::string message, std::string_view sent, int http_status) {
  const std::string_view words = text::strip(sent);
  const bool readable = !words.empty() && words.front() != '{' && words.front() != '[' && words.find('<') == words.npos;
  if (readable)
    message += ": " + std::string(words.substr(0, 2 * max_searched_bytes));  // cut once its secrets are hidden
  return protocol_error(std::move(message), http_status);
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
