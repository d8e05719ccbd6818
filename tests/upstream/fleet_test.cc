#include "service/transport/loop.h"
#include "service/upstream/providers.h"
#include "tests/support/catch.h"
#include "tests/support/fake_upstream_fleet.h"
#include "tests/upstream/recorder.h"

using namespace tokenrelay;

namespace {

// Counts deltas and their latency; ends when every call has.
struct Counter final : upstream::CallHandler {
  void on_text(std::string_view delta) override {
    const auto stamp = support::read_stamp(delta);
    REQUIRE(stamp);
    worst_us = std::max(worst_us, support::monotonic_us() - *stamp);
    ++deltas;
  }
  void on_reasoning(std::string_view) override { FAIL("no reasoning was sent"); }
  void on_tool_call(int, std::string_view, std::string_view, std::string_view) override {
    FAIL("no tool call was sent");
  }
  uint64_t told_bytes() const override { return 0; }
  void on_end(upstream::Outcome outcome) override {
    if (outcome.failure) ++failures;
    if (--running == 0) loop->stop();
  }
  transport::Loop* loop = nullptr;
  int running = 0, deltas = 0, failures = 0;
  int64_t worst_us = 0;
};

double cpu_us() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

Counter read_all(int streams, support::FakeUpstreamFleet::Options fleet_options) {
  support::FakeUpstreamFleet fleet(std::move(fleet_options));
  transport::Loop loop;
  upstream::ProviderOptions options;
  options.base_url = fleet.base_url();
  const auto provider = upstream::make_openai_chat(client::make_http_client(loop), options);
  Counter counter;
  counter.loop = &loop;
  counter.running = streams;
  std::vector<std::unique_ptr<upstream::Call>> calls;
  for (int i = 0; i < streams; ++i) calls.push_back(call_of(*provider, {"m", "[]", "", "r"}, counter));
  const double before = cpu_us();
  loop.run();
  if (counter.deltas > 100'000) {
    WARN(streams << " streams: " << (cpu_us() - before) / counter.deltas << " us of CPU a delta, worst latency "
                 << counter.worst_us << " us, the fleet's own lag " << fleet.worst_lag_us() << " us");
  }
  return counter;
}

}  // namespace

TEST_CASE("the fleet serves many paced streams") {
  support::FakeUpstreamFleet::Options options;
  options.deltas = 30;
  options.per_second = 100;
  const Counter counter = read_all(50, options);
  CHECK(counter.deltas == 50 * 30);
  CHECK(counter.failures == 0);
}

TEST_CASE("the fleet as fast as it goes") {
  support::FakeUpstreamFleet::Options options;
  options.deltas = 20'000;
  options.per_second = 0;
  options.openai_sized = true;
  const Counter counter = read_all(2, options);
  CHECK(counter.deltas == 2 * 20'000);
  CHECK(counter.failures == 0);
}

TEST_CASE("1,000 streams at 30 deltas a second", "[.bench]") {
  support::FakeUpstreamFleet::Options options;
  options.deltas = 300;
  options.openai_sized = true;
  const Counter counter = read_all(1000, options);
  CHECK(counter.deltas == 300'000);
}
