#include "service/upstream/upstream.h"

namespace tokenrelay::upstream {

std::string_view name_of(FailureCode code) {
  switch (code) {
    case FailureCode::upstream_unreachable:
      return "upstream_unreachable";
    case FailureCode::upstream_timeout:
      return "upstream_timeout";
    case FailureCode::upstream_truncated:
      return "upstream_truncated";
    case FailureCode::upstream_protocol:
      return "upstream_protocol";
    case FailureCode::upstream_error:
      return "upstream_error";
    case FailureCode::upstream_rate_limited:
      return "upstream_rate_limited";
    case FailureCode::upstream_overloaded:
      return "upstream_overloaded";
    case FailureCode::upstream_auth:
      return "upstream_auth";
    case FailureCode::upstream_bad_request:
      return "upstream_bad_request";
  }
  return "upstream_error";
}

}  // namespace tokenrelay::upstream
