#include "service/relay/admission.h"

#include "tests/relay/relay_fixture.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using relay::Admission;

TEST_CASE("memory is looked at, not guessed", "[admission]") {
  uint64_t resident = 100;
  Admission admission([&] { return resident; });
  relay::Options options;
  options.memory_bytes = 1000;
  admission.look();
  CHECK_FALSE(admission.refusal(options, {}));
  resident = 1001;
  CHECK_FALSE(admission.refusal(options, {}));  // nobody has looked
  admission.look();
  CHECK(admission.refusal(options, {}) == "the relay is short of memory");
  options.memory_bytes = 0;  // no limit
  CHECK_FALSE(admission.refusal(options, {}));
}

TEST_CASE("a log that is behind, in time or in bytes, takes no new work", "[admission]") {
  const Admission admission([] { return uint64_t{0}; });
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
  CHECK(relay::default_memory_bytes() > 16 << 20);
}
