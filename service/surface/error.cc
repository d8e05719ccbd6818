#include "service/surface/error.h"

#include <algorithm>
#include <charconv>

#include "service/json/parse.h"
#include "service/surface/answer_headers.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

std::string openai_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
      return "not_found_error";
    case 429:
      return "rate_limit_error";
    default:
      return status >= 500 ? "server_error" : "invalid_request_error";
  }
}

std::string anthropic_type(int status) {
  switch (status) {
    case 401:
      return "authentication_error";
    case 403:
      return "permission_error";
    case 404:
    case 410:
      return "not_found_error";
    case 409:
      return "conflict_error";
    case 413:
      return "request_too_large";
    case 429:
      return "rate_limit_error";
    case 504:
      return "timeout_error";
    case 503:
    case 529:
      return "overloaded_error";
    default:
      return status >= 500 ? "api_error" : "invalid_request_error";
  }
}

std::string gemini_status(int status) {
  switch (status) {
    case 401:
      return "UNAUTHENTICATED";
    case 403:
      return "PERMISSION_DENIED";
    case 404:
    case 410:
      return "NOT_FOUND";
    case 409:
      return "ABORTED";
    case 429:
      return "RESOURCE_EXHAUSTED";
    case 499:
      return "CANCELLED";
    case 503:
      return "UNAVAILABLE";
    case 504:
      return "DEADLINE_EXCEEDED";
    default:
      return status >= 500 ? "INTERNAL" : "INVALID_ARGUMENT";
  }
}

// OpenAI's clients know this code by another name.
std::string openai_code(const std::string& code) {
  return code == "unknown_model" ? "model_not_found" : code;
}

Value or_null(const std::string& text) {
  return text.empty() ? Value() : Value(text);
}

Value chat_error(const Error& error) {
  return Value{{"message", error.message},
               {"type", openai_type(error.status)},
               {"param", or_null(error.param)},
               {"code", or_null(openai_code(error.code))}};
}

Value gemini_error(const Error& error) {
  Value out = {{"code", error.status}, {"message", error.message}, {"status", gemini_status(error.status)}};
  if (!error.retry_after_ms) return out;
  const std::string delay = std::to_string((*error.retry_after_ms + 999) / 1000) + "s";
  out["details"] = Value::array();
  out["details"].push_back(Value{{"@type", "type.googleapis.com/google.rpc.RetryInfo"}, {"retryDelay", delay}});
  return out;
}

Value anthropic_error(const Error& error, std::string_view request_id) {
  Value out = {{"type", "error"}, {"error", Value{{"type", anthropic_type(error.status)}, {"message", error.message}}}};
  if (error.code == "thread_unsupported_request") {  // clients read it there
    out["error"]["details"] = Value{{"error_code", error.code}, {"unsupported", Value::array({error.param})}};
  }
  if (!request_id.empty()) out["request_id"] = std::string(request_id);
  return out;
}

void add_retry_headers(Protocol protocol, const Error& error, http::HeaderList& headers) {
  if (error.retry_after_ms) {
    headers.emplace_back("Retry-After", std::to_string((*error.retry_after_ms + 999) / 1000));
  }
  if (protocol != Protocol::gemini) headers.emplace_back("x-should-retry", error.should_retry ? "true" : "false");
}

// The message with the field's name before it.
std::string with_param(const Error& error) {
  return error.param.empty() || error.message.starts_with(error.param) ? error.message
                                                                       : error.param + ": " + error.message;
}

struct FailureStatus {
  std::string_view code;
  int status;
};

// upstream_auth is a 502: it is the relay's credential that was refused, and a 401 would make the client doubt its own.
constexpr FailureStatus failure_statuses[] = {
    {"upstream_rate_limited", 429}, {"upstream_overloaded", 503},  {"upstream_timeout", 504},
    {"upstream_unreachable", 502},  {"upstream_truncated", 502},   {"upstream_protocol", 502},
    {"upstream_auth", 502},         {"upstream_bad_request", 400}, {"log_unavailable", 503},
    {"relay_drained", 503},         {"relay_restarted", 503},      {"time_limit", 504},
    {"upstream_empty", 502},
};

}  // namespace

Error invalid(std::string param, std::string message) {
  return Error{400, "invalid_request", std::move(message), std::move(param), std::nullopt, false};
}

std::string error_json(Protocol protocol, const Error& error, std::string_view request_id) {
  switch (protocol) {
    case Protocol::chat:
      return json::dump(Value{{"error", chat_error(error)}});
    case Protocol::responses: {
      return json::dump(Value{{"type", "error"},
                              {"code", openai_code(error.code)},
                              {"message", error.message},
                              {"param", or_null(error.param)}});
    }
    case Protocol::anthropic:
      return json::dump(anthropic_error(error, request_id));
    case Protocol::gemini:
      return json::dump(Value{{"error", gemini_error(error)}});
    case Protocol::ui:
      return json::dump(Value{{"type", "error"}, {"errorText", error.message}});
  }
  return "{}";
}

http::Reply error_reply(Protocol protocol, const Error& given, std::string_view request_id) {
  Error error = given;
  error.message = with_param(given);
  http::Reply reply;
  reply.status = error.status;
  reply.content_type = "application/json";
  add_retry_headers(protocol, error, reply.headers);
  if (error.headers) add_answer_headers(reply.headers, *error.headers, protocol);
  if (!error.own_body.empty() && error.own_kind == own_kind(protocol)) {
    reply.status = error.own_status;
    reply.body = error.own_body;
    return reply;
  }
  if (protocol == Protocol::ui) {  // useChat shows the body's text
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = error.message;
  } else {
    reply.body = error_json(protocol == Protocol::responses ? Protocol::chat : protocol, error, request_id);
  }
  return reply;
}

Error error_of(const relay::StreamError& ended, const std::optional<upstream::Error>& failure) {
  Error error;
  error.status = 502;
  error.code = ended.code;
  error.message = ended.message;
  for (const auto& [code, status] : failure_statuses) {
    if (ended.code == code) error.status = status;
  }
  if (!failure) return error;
  error.retry_after_ms = failure->retry_after_ms;
  error.own_kind = failure->own_kind;
  error.own_body = failure->own_body;
  error.own_status = failure->http_status;
  error.headers = failure->headers;
  const int said = failure->http_status;
  const bool same_kind = said / 100 == error.status / 100 && error.code != "upstream_auth";
  if (said >= 400 && (same_kind || (error.code == "upstream_error" && said != 401 && said != 403))) error.status = said;
  return error;
}

void shape_error(const http::Request& request, http::Reply& reply) {
  const auto protocol = protocol_of(request);
  if (!protocol) return;
  const auto problem = json::parse(reply.body);
  if (!problem || !problem->is_object()) return;
  Error error;
  error.status = reply.status;
  error.code = problem->value("code", "");
  error.message = problem->value("detail", "");
  if (error.code == "unknown_model") error.param = "model";
  http::Reply shaped = error_reply(*protocol, error, request.request_id);
  bool refused_for_now = false;
  for (auto& [name, value] : reply.headers) {
    refused_for_now |= name == "Retry-After";
    shaped.headers.emplace_back(std::move(name), std::move(value));
  }
  for (auto& [name, value] : shaped.headers) {
    if (name == "x-should-retry" && refused_for_now) value = "true";
  }
  shaped.close = reply.close;
  reply = std::move(shaped);
}

void add_headers(const http::Request& request, http::HeaderList& headers) {
  const auto protocol = protocol_of(request);
  const bool openai = protocol == Protocol::chat || protocol == Protocol::responses;
  // Anthropic's `request-id` needs no header: it is the relay's Request-Id.
  if (openai) headers.emplace_back("x-request-id", request.request_id);
}

}  // namespace tokenrelay::surface
