#include "service/relay/attempts.h"

#include <algorithm>
#include <utility>

namespace tokenrelay::relay {

std::optional<int64_t> Attempts::again(const upstream::Error& failure, const Options& options, int64_t now_ms,
                                       uint32_t spread) {
  if (!failure.retryable || tries_ > options.upstream_retries) return std::nullopt;
  int64_t wait_ms = options.retry_backoff_ms << (tries_ - 1);
  wait_ms += static_cast<int64_t>(spread % static_cast<uint32_t>(wait_ms / 2 + 1));
  wait_ms = std::max(wait_ms, failure.retry_after_ms.value_or(0));
  if (now_ms - begun_ms_ + wait_ms > options.upstream_retry_ms) return std::nullopt;
  ++tries_;
  ++number_;
  return wait_ms;
}

bool Attempts::fall_back(const upstream::Error& failure, upstream::ModelRequest& request) {
  if (failure.code == upstream::ErrorCode::upstream_bad_request) return false;
  for (size_t next = at_ + 1; next <= first_.fallbacks.size(); ++next) {
    const Route& route = first_.fallbacks[next - 1];
    const std::string model = std::exchange(request.model, route.model);
    if (route.upstream->provider->refuses(request)) {
      request.model = model;
      continue;
    }
    at_ = next;
    tries_ = 1;
    ++number_;
    return true;
  }
  return false;
}

}  // namespace tokenrelay::relay
