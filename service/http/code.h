// Error codes of this API and their HTTP status. One table in code.cc.
#pragma once

#include <string_view>

namespace tokenrelay::http {

enum class Code {
  invalid_request,         // 400
  invalid_cursor,          // 400
  unauthorized,            // 401
  forbidden,               // 403
  cross_site,              // 403
  not_found,               // 404
  unknown_model,           // 404
  unknown_cursor,          // 404
  method_not_allowed,      // 405, with Allow
  steer_limit,             // 409
  stream_ended,            // 409
  gone,                    // 410
  length_required,         // 411
  body_too_large,          // 413
  uri_too_long,            // 414
  unsupported_media_type,  // 415
  misdirected,             // 421
  idempotency_conflict,    // 422
  upgrade_required,        // 426
  rate_limited,            // 429, with Retry-After
  head_too_large,          // 431
  request_timeout,         // 408
  internal,                // 500
  draining,                // 503, with Retry-After
  overloaded,              // 503, with Retry-After
  log_unavailable,         // 503, with Retry-After
  expectation_failed,      // 417
  version_not_supported,   // 505
};

int status_of(Code code);
std::string_view name_of(Code code);   // "invalid_request"
std::string_view title_of(Code code);  // "Invalid request"

}  // namespace tokenrelay::http
