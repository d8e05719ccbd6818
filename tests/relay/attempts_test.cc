// When a failed call is tried again.
#include "service/relay/attempts.h"

#include <vector>

#include "tests/support/catch.h"

using namespace tokenrelay;
using relay::Attempts;

namespace {

upstream::Error overloaded(std::optional<int64_t> retry_after_ms = std::nullopt) {
  return {upstream::ErrorCode::upstream_overloaded, "busy", true, retry_after_ms, 503};
}

// The waits of one upstream that fails at once, each time.
std::vector<int64_t> waits(const relay::Options& options, uint32_t spread,
                           const upstream::Error& failure = overloaded()) {
  Attempts attempts{relay::Route{}};
  attempts.begin(1'000);
  int64_t now_ms = 1'000;
  std::vector<int64_t> all;
  while (const auto wait_ms = attempts.again(failure, options, now_ms, spread)) {
    all.push_back(*wait_ms);
    now_ms += *wait_ms;
    CHECK(now_ms - 1'000 <= options.upstream_retry_ms);
  }
  return all;
}

}  // namespace

TEST_CASE("retries are spread over the time there is, however short it is") {
  relay::Options options;
  options.upstream_retries = 2;
  options.retry_backoff_ms = 500;
  for (const int64_t whole_ms : {300, 400, 500, 1'000, 2'000, 30'000, 3'600'000}) {
    for (const uint32_t spread : {0u, 1u, 77u, 1'234'567u, 0xffffffffu}) {
      INFO(whole_ms << " ms, spread " << spread);
      options.upstream_retry_ms = whole_ms;
      const auto all = waits(options, spread);
      REQUIRE(all.size() == 2);
      CHECK(all[0] <= 750);
      CHECK(all[0] + all[1] >= whole_ms * 6 / 10);
    }
  }
}

TEST_CASE("what an upstream asks for is waited, or it is not asked again") {
  relay::Options options;
  options.upstream_retries = 2;
  options.upstream_retry_ms = 10'000;
  CHECK(waits(options, 0, overloaded(3'000)) == std::vector<int64_t>{3'000, 3'000});
  CHECK(waits(options, 0, overloaded(9'000)) == std::vector<int64_t>{9'000});
  CHECK(waits(options, 0, overloaded(10'001)).empty());
  auto final = overloaded();
  final.retryable = false;
  CHECK(waits(options, 0, final).empty());
  options.upstream_retry_ms = 0;
  CHECK(waits(options, 0).empty());
  options.upstream_retry_ms = 10'000;
  options.upstream_retries = 0;
  CHECK(waits(options, 0).empty());
}
