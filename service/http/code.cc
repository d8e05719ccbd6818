#include "service/http/code.h"

#include <cassert>
#include <cstddef>

namespace tokenrelay::http {
namespace {

struct Row {
  Code code;
  int status;
  std::string_view name;
  std::string_view title;
};

constexpr Row rows[] = {
    {Code::invalid_request, 400, "invalid_request", "Invalid request"},
    {Code::invalid_cursor, 400, "invalid_cursor", "Invalid cursor"},
    {Code::unauthorized, 401, "unauthorized", "Unauthorized"},
    {Code::forbidden, 403, "forbidden", "Forbidden"},
    {Code::cross_site, 403, "cross_site", "Cross-site request"},
    {Code::not_found, 404, "not_found", "Not found"},
    {Code::unknown_model, 404, "unknown_model", "Unknown model"},
    {Code::unknown_cursor, 404, "unknown_cursor", "Unknown cursor"},
    {Code::method_not_allowed, 405, "method_not_allowed", "Method not allowed"},
    {Code::steer_limit, 409, "steer_limit", "Too many steers"},
    {Code::stream_ended, 409, "stream_ended", "Stream ended"},
    {Code::gone, 410, "gone", "Gone"},
    {Code::length_required, 411, "length_required", "Length required"},
    {Code::body_too_large, 413, "body_too_large", "Body too large"},
    {Code::uri_too_long, 414, "uri_too_long", "URI too long"},
    {Code::unsupported_media_type, 415, "unsupported_media_type", "Unsupported media type"},
    {Code::misdirected, 421, "misdirected", "Misdirected request"},
    {Code::idempotency_conflict, 422, "idempotency_conflict", "Idempotency key reused"},
    {Code::upgrade_required, 426, "upgrade_required", "Upgrade required"},
    {Code::rate_limited, 429, "rate_limited", "Rate limited"},
    {Code::head_too_large, 431, "head_too_large", "Request head too large"},
    {Code::request_timeout, 408, "request_timeout", "Request timeout"},
    {Code::internal, 500, "internal", "Internal error"},
    {Code::draining, 503, "draining", "Draining"},
    {Code::overloaded, 503, "overloaded", "Overloaded"},
    {Code::log_unavailable, 503, "log_unavailable", "Event log unavailable"},
    {Code::expectation_failed, 417, "expectation_failed", "Expectation failed"},
    {Code::version_not_supported, 505, "version_not_supported", "HTTP version not supported"},
};

const Row& row_of(Code code) {
  const Row& row = rows[static_cast<size_t>(code)];
  assert(row.code == code && "the table is in the order of the enumeration");
  return row;
}

}  // namespace

int status_of(Code code) {
  return row_of(code).status;
}
std::string_view name_of(Code code) {
  return row_of(code).name;
}
std::string_view title_of(Code code) {
  return row_of(code).title;
}

}  // namespace tokenrelay::http
