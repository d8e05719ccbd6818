#include "service/relay/attempts.h"

#include <algorithm>
#include <utility>

namespace tokenrelay::relay {

// A time too short for the usual first wait still has room for two retries.
std::optional<int64_t> Attempts::again(const upstream::Error& failure, const Options& options, int64_t now_ms,
                                       uint32_t spread) {
  if (!failure.retryable || tries_ > options.upstream_retries) return std::nullopt;
  const int64_t asked_ms = failure.retry_after_ms.value_or(0);
  const int64_t left_ms = begun_ms_ + options.upstream_retry_ms - now_ms;
  const int64_t first_ms = std::min(options.retry_backoff_ms, std::max<int64_t>(1, options.upstream_retry_ms / 4));
  int64_t wait_ms = first_ms << (tries_ - 1);
  if (!failure.retry_after_ms) wait_ms = std::max(wait_ms, place_of_retry(options, now_ms));
  if (std::max(wait_ms, asked_ms) > left_ms) return std::nullopt;
  wait_ms += static_cast<int64_t>(spread % static_cast<uint32_t>(std::min(wait_ms / 2, left_ms - wait_ms) + 1));
  ++tries_;
  ++number_;
  return std::max(wait_ms, asked_ms);
}

// How long until the place of the next retry: the last is at 0.6 of the time, so that its spread fits in.
int64_t Attempts::place_of_retry(const Options& options, int64_t now_ms) const {
  const bool fallback_left = at_ < first_.fallbacks.size();
  if (fallback_left || options.upstream_retries < 2) return 0;
  const int64_t place_ms = options.upstream_retry_ms * 6 / 10 * (tries_ - 1) / (options.upstream_retries - 1);
  return begun_ms_ + place_ms - now_ms;
}

bool Attempts::next_fallback(const upstream::Error& failure) {
  if (failure.code == upstream::ErrorCode::upstream_bad_request || at_ == first_.fallbacks.size()) return false;
  ++at_;
  return true;
}

void Attempts::fallen_back() {
  tries_ = 1;
  ++number_;
}

}  // namespace tokenrelay::relay
