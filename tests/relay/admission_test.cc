#include "service/relay/admission.h"

#include "tests/relay/relay_fixture.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using relay::Admission;

TEST_CASE("memory is looked at, not guessed", "[admission]") {
  Admission admission;
  relay::Options options;
  options.memory_bytes = 1000;
  CHECK_FALSE(admission.refusal(options, {}));  // nobody has looked
  admission.saw(1000);
  CHECK_FALSE(admission.refusal(options, {}));
  admission.saw(1001);
  CHECK(admission.refusal(options, {}) == "the relay is short of memory");
  options.memory_bytes = 0;  // no limit
  CHECK_FALSE(admission.refusal(options, {}));
}

TEST_CASE("a log that is behind, in time or in bytes, takes no new work", "[admission]") {
  const Admission admission;
  relay::Options options;
  storage::LogStatus log;
  log.lag_ms = options.commit_lag_ms;
  log.uncommitted_bytes = options.uncommitted_bytes / 2;
  CHECK_FALSE(admission.refusal(options, log));
  ++log.lag_ms;
  CHECK(admission.refusal(options, log) == "the event log is too slow at the moment");
  log.lag_ms = 0;
  ++log.uncommitted_bytes;
  CHECK(admission.refusal(options, log) == "too many events are waiting for the event log");
}

TEST_CASE("what the system says of this process", "[admission]") {
  CHECK(relay::resident_bytes() > 1 << 20);
  const uint64_t before = relay::used_bytes();
  const std::string large(size_t{64} << 20, 'x');
  CHECK(relay::used_bytes() >= before);  // a sanitizer's allocator tells nothing
  CHECK(large.back() == 'x');
  relay::trim_memory();
  CHECK(relay::default_memory_bytes() > 16 << 20);
}

TEST_CASE("prompts that no upstream has accepted yet count against a budget, until it has", "[admission]") {
  relay::Options options;
  options.prompt_bytes = 150;
  relay::RelayFixture f(options);
  const auto large = [&f] {
    auto what = f.what();
    what.prompt.request = support::scripted({"m", std::string(100, 'x'), "", "r"});
    return what;
  };
  const auto first = f.create(large());
  REQUIRE(first);
  const auto refused = f.create(large());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == relay::Errc::overloaded);
  f.model->last().handler->on_first_byte();
  const auto second = f.create(large());
  REQUIRE(second);
  CHECK_FALSE(f.create(large()));
  second->stream->cancel();
  f.commit();
  const auto third = f.create(large());
  INFO((third ? "" : third.error().message));
  CHECK(third);
}
