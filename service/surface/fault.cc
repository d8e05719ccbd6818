#include "service/surface/fault.h"

#include <algorithm>
#include <charconv>

#include "service/json/parse.h"

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

// What OpenAI's clients know under another name.
std::string openai_code(const std::string& code) {
  return code == "unknown_model" ? "model_not_found" : code;
}

Value or_null(const std::string& text) {
  return text.empty() ? Value() : Value(text);
}

Value chat_error(const Fault& fault) {
  return Value{{"message", fault.message},
               {"type", openai_type(fault.status)},
               {"param", or_null(fault.param)},
               {"code", or_null(openai_code(fault.code))}};
}

Value gemini_error(const Fault& fault) {
  Value error = {{"code", fault.status}, {"message", fault.message}, {"status", gemini_status(fault.status)}};
  if (!fault.retry_after_ms) return error;
  const std::string delay = std::to_string((*fault.retry_after_ms + 999) / 1000) + "s";
  error["details"] = Value::array();
  error["details"].push_back(Value{{"@type", "type.googleapis.com/google.rpc.RetryInfo"}, {"retryDelay", delay}});
  return error;
}

Value anthropic_error(const Fault& fault, std::string_view request_id) {
  Value out = {{"type", "error"}, {"error", Value{{"type", anthropic_type(fault.status)}, {"message", fault.message}}}};
  if (!request_id.empty()) out["request_id"] = std::string(request_id);
  return out;
}

void add_retry_headers(Dialect dialect, const Fault& fault, http::HeaderList& headers) {
  if (fault.retry_after_ms) {
    headers.emplace_back("Retry-After", std::to_string((*fault.retry_after_ms + 999) / 1000));
  }
  if (dialect != Dialect::gemini) headers.emplace_back("x-should-retry", fault.should_retry ? "true" : "false");
}

// What the client wrote wrong reads better with the field's name in it.
std::string with_param(const Fault& fault) {
  return fault.param.empty() || fault.message.starts_with(fault.param) ? fault.message
                                                                       : fault.param + ": " + fault.message;
}

struct FailureStatus {
  std::string_view code;
  int status;
};

// The relay's own credential was refused: not the client's fault, and 401 would make it doubt its own.
constexpr FailureStatus failure_statuses[] = {
    {"upstream_rate_limited", 429}, {"upstream_overloaded", 503},  {"upstream_timeout", 504},
    {"upstream_unreachable", 502},  {"upstream_truncated", 502},   {"upstream_protocol", 502},
    {"upstream_auth", 502},         {"upstream_bad_request", 400}, {"log_unavailable", 503},
    {"relay_drained", 503},         {"relay_restarted", 503},      {"time_limit", 504},
};

}  // namespace

Fault invalid(std::string param, std::string message) {
  return Fault{400, "invalid_request", std::move(message), std::move(param), std::nullopt, false};
}

std::string fault_json(Dialect dialect, const Fault& fault, std::string_view request_id) {
  switch (dialect) {
    case Dialect::chat:
      return json::dump(Value{{"error", chat_error(fault)}});
    case Dialect::responses: {
      return json::dump(Value{{"type", "error"},
                              {"code", openai_code(fault.code)},
                              {"message", fault.message},
                              {"param", or_null(fault.param)}});
    }
    case Dialect::anthropic:
      return json::dump(anthropic_error(fault, request_id));
    case Dialect::gemini:
      return json::dump(Value{{"error", gemini_error(fault)}});
    case Dialect::ui:
      return json::dump(Value{{"type", "error"}, {"errorText", fault.message}});
  }
  return "{}";
}

http::Reply fault_reply(Dialect dialect, const Fault& given, std::string_view request_id) {
  Fault fault = given;
  fault.message = with_param(given);
  http::Reply reply;
  reply.status = fault.status;
  reply.content_type = "application/json";
  add_retry_headers(dialect, fault, reply.headers);
  if (dialect == Dialect::ui) {  // useChat shows the body's text
    reply.content_type = "text/plain; charset=utf-8";
    reply.body = fault.message;
  } else {
    reply.body = fault_json(dialect == Dialect::responses ? Dialect::chat : dialect, fault, request_id);
  }
  return reply;
}

Fault fault_of(const relay::StreamError& error, const std::optional<upstream::Failure>& failure) {
  Fault fault;
  fault.status = 502;
  fault.code = error.code;
  fault.message = error.message;
  for (const auto& [code, status] : failure_statuses) {
    if (error.code == code) fault.status = status;
  }
  if (!failure) return fault;
  fault.retry_after_ms = failure->retry_after_ms;
  const int said = failure->http_status;
  const bool same_kind = said / 100 == fault.status / 100 && fault.code != "upstream_auth";
  if (said >= 400 && (same_kind || (fault.code == "upstream_error" && said != 401 && said != 403))) fault.status = said;
  return fault;
}

void shape_error(const http::Request& request, http::Reply& reply) {
  const auto dialect = dialect_of(request.path);
  if (!dialect) return;
  const auto problem = json::parse(reply.body);
  if (!problem || !problem->is_object()) return;
  Fault fault;
  fault.status = reply.status;
  fault.code = problem->value("code", "");
  fault.message = problem->value("detail", "");
  if (fault.code == "unknown_model") fault.param = "model";
  http::Reply shaped = fault_reply(*dialect, fault, request.request_id);
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
  const auto dialect = dialect_of(request.path);
  const bool openai = dialect == Dialect::chat || dialect == Dialect::responses;
  // Anthropic's `request-id` is the relay's own Request-Id.
  if (openai) headers.emplace_back("x-request-id", request.request_id);
}

}  // namespace tokenrelay::surface
