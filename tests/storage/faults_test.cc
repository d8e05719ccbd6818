// The disk fails, is full, is slow, is locked: nothing is shown that is not durable, nothing durable is lost.
#include "tests/contract/log_status.h"
#include "tests/storage/fault_vfs.h"
#include "tests/storage/raw_database.h"
#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;
using namespace std::chrono_literals;

namespace {

std::unique_ptr<SqliteHarness> faulty(const std::function<void(SqliteLogOptions&)>& change = {}) {
  register_fault_vfs();
  return std::make_unique<SqliteHarness>([&](SqliteLogOptions& o) {
    o.vfs = fault_vfs_name;
    o.sync = SyncLevel::full;
    if (change) change(o);
  });
}

bool wait_state(SqliteHarness& h, LogState state) {
  return h.eventually([&] { return checked(h.log().status()).state == state; });
}

}  // namespace

TEST_CASE("a failed sync is final, and what was durable is still served") {
  auto h = faulty([](SqliteLogOptions& o) { o.checkpoint_ms = 60'000; });
  StreamKey key = h->make("strm_a");
  h->text(key, 2, "durable");
  REQUIRE(h->wait_durable(key, 2));
  faults().fail_sync = true;
  h->text(key, 3, "lost");
  REQUIRE(h->eventually([&] { return !h->states().empty(); }));
  CHECK(h->states() == std::vector{LogState::failed});
  CHECK(h->log().status().reason.find("commit") != std::string::npos);
  CHECK(h->log().figures().syncs_failed == 1);

  faults().fail_sync = false;  // a disk that works again is not believed
  h->text(key, 4, "refused");
  CHECK(h->create(h->stream("strm_b")).error().code == Errc::log_failed);
  CHECK(h->remove("strm_a", 1).error().code == Errc::log_failed);
  CHECK(h->events(key).back().payload == "durable");
  CHECK(h->find("strm_a")->last_seq == 2);
  CHECK(h->durable(key) == 2);
  CHECK(h->log().status().state == LogState::failed);

  h->reopen();
  auto row = h->find("strm_a");
  CHECK(row->status == "interrupted");
  auto events = h->events(key);
  CHECK(events[1].payload == "durable");
  CHECK(events.back().kind == EventKind::done);
  // Written and never synced: event 3 may be there, event 4 was never written.
  CHECK(events.size() <= 4);
  for (const auto& e : events) CHECK(e.payload != "refused");
}

TEST_CASE("a checkpoint whose sync fails ends appending too") {
  auto h = faulty([](SqliteLogOptions& o) {
    o.sync = SyncLevel::normal;
    o.checkpoint_ms = 1;
  });
  StreamKey key = h->make("strm_a");
  faults().fail_sync = true;
  h->text(key, 2, "x");
  REQUIRE(wait_state(*h, LogState::failed));
  CHECK(h->log().figures().syncs_failed >= 1);
  CHECK(h->create(h->stream("strm_b")).error().code == Errc::log_failed);
  faults().clear();
}

TEST_CASE("at sync level full nothing is durable, or read, before the sync is over") {
  auto h = faulty([](SqliteLogOptions& o) { o.checkpoint_ms = 60'000; });
  StreamKey key = h->make("strm_a");
  faults().sync_delay_ms = 150;
  const auto sent = std::chrono::steady_clock::now();
  h->text(key, 2, "x");
  h->loop().run_until([] { return false; }, 50ms);
  CHECK(h->events(key).size() == 1);
  CHECK(h->find("strm_a")->last_seq == 1);
  REQUIRE(h->wait_durable(key, 2));
  CHECK(std::chrono::steady_clock::now() - sent >= 150ms);
  faults().clear();
}

// The batch must wait at the moment at which the step fails: about every third time it does.
TEST_CASE("after a failed tidying step nothing is reported durable any more, though its commit would succeed") {
  for (int round = 0; round < 12; ++round) {
    SqliteHarness h([](SqliteLogOptions& o) {
      o.sync = SyncLevel::full;
      o.journal_flush_ms = 20;
      o.commit_interval_us = 20'000;
    });
    StreamKey key = h.make("strm_a");
    RawDatabase(h.database())
        .exec("CREATE TRIGGER broken BEFORE INSERT ON segments BEGIN SELECT RAISE(ABORT, 'broken'); END");
    Seq seq = 1;
    REQUIRE(h.eventually([&] {
      if (h.states().empty() && seq < 200'000) h.text(key, ++seq, "x");
      return !h.states().empty();
    }));
    CHECK(h.states() == std::vector{LogState::failed});
    const Seq durable = h.durable(key);
    CHECK(durable < seq);
    h.loop().run_until([] { return false; }, 60ms);  // the harness throws at a commit that is reported now
    CHECK(h.durable(key) == durable);
    CHECK(h.find("strm_a")->last_seq == durable);
  }
}

TEST_CASE("a commit that does not come back shows: healthy, but hanging") {
  auto h = faulty([](SqliteLogOptions& o) { o.checkpoint_ms = 60'000; });
  StreamKey key = h->make("strm_a");
  faults().sync_delay_ms = 60'000;  // until it is cleared
  h->text(key, 2, "x");
  REQUIRE(h->eventually([&] { return checked(h->log().status()).stalled_ms > 0; }));
  CHECK(h->log().status().state == LogState::healthy);
  CHECK(h->log().status().stalled_ms > slow_commit_ms);
  CHECK(h->log().status().reason == "a commit does not return");
  CHECK(h->states().empty());
  faults().clear();
  REQUIRE(h->wait_durable(key, 2));
  CHECK(checked(h->log().status()).stalled_ms == 0);
}

TEST_CASE("a full disk stalls the log, and nothing is lost when there is room again") {
  auto h = faulty();
  StreamKey key = h->make("strm_a");
  faults().full = true;
  for (Seq seq = 2; seq <= 50; ++seq) h->text(key, seq, std::to_string(seq));
  NewStream waiting = h->stream("strm_waiting");
  auto refused = h->create(waiting);  // waits in a batch that does not commit, and is refused once that is clear
  CHECK(refused.error().code == Errc::log_stalled);
  CHECK(h->log().status().state == LogState::stalled);
  CHECK(h->log().status().stalled_ms > 0);
  CHECK(h->log().status().uncommitted_bytes > 0);
  CHECK(h->create(h->stream("strm_b")).error().code == Errc::log_stalled);
  CHECK(h->events(key).size() == 1);
  for (Seq seq = 51; seq <= 100; ++seq) h->text(key, seq, std::to_string(seq));

  faults().clear();
  REQUIRE(h->wait_durable(key, 100));
  REQUIRE(wait_state(*h, LogState::healthy));
  auto events = h->events(key);
  REQUIRE(events.size() == 100);
  for (Seq seq = 2; seq <= 100; ++seq) CHECK(events[seq - 1].payload == std::to_string(seq));
  REQUIRE(h->create(h->stream("strm_b")));
  CHECK(h->find("strm_waiting").error().code == Errc::not_found);
  CHECK(h->states() == std::vector{LogState::stalled, LogState::healthy});
}

TEST_CASE("a full disk gets the reserve back when a stream ends") {
  auto h = faulty([](SqliteLogOptions& o) { o.reserve_bytes = 64 << 10; });
  REQUIRE(h->size_of("reserve") == 64 << 10);
  StreamKey key = h->make("strm_a");
  faults().full = true;
  h->text(key, 2, "x");
  REQUIRE(wait_state(*h, LogState::stalled));
  CHECK(h->size_of("reserve") == 64 << 10);
  h->log().finish(key, 3, {"failed", "{}", 1});
  REQUIRE(h->eventually([&] { return h->size_of("reserve") == 0; }));
  faults().clear();
  REQUIRE(h->wait_durable(key, 3));
  StreamKey other = h->make("strm_b");
  Seq seq = 1;  // taken again once the disk has room, at a commit
  REQUIRE(h->eventually([&] {
    if (h->durable(other) == seq) h->text(other, ++seq, "x");
    return h->size_of("reserve") == 64 << 10;
  }));
}

TEST_CASE("a lock held by another connection stalls the log until it goes") {
  SqliteHarness h;
  StreamKey key = h.make("strm_a");
  RawDatabase other(h.database());
  other.exec("BEGIN IMMEDIATE");
  h.text(key, 2, "x");
  REQUIRE(wait_state(h, LogState::stalled));
  CHECK(h.events(key).size() == 1);
  other.exec("COMMIT");
  REQUIRE(h.wait_durable(key, 2));
  REQUIRE(wait_state(h, LogState::healthy));
}

TEST_CASE("closing does not wait for a disk that refuses") {
  auto h = faulty();
  StreamKey key = h->make("strm_a");
  faults().full = true;
  h->text(key, 2, "x");
  const auto began = std::chrono::steady_clock::now();
  h->log().close();
  CHECK(std::chrono::steady_clock::now() - began < 10s);
  faults().clear();
  h->reopen();
  CHECK(h->find("strm_a")->status == "interrupted");
}

TEST_CASE("completions on their way are dropped with the log") {
  int called = 0;
  auto mark = std::make_shared<int>(0);
  SqliteHarness h;
  StreamKey key = h.make("strm_a");
  for (int i = 0; i < 100; ++i) {
    h.log().find("strm_a", [&called, mark](const Result<StreamRow>&) { ++called; });
    h.log().read(key, 0, 100, [&called, mark](const auto&) { ++called; });
    h.log().create(h.stream("strm_n" + std::to_string(i)), [&called, mark](const auto&) { ++called; });
  }
  h.shut();
  h.loop().run_until([] { return false; }, 20ms);
  CHECK(called == 0);
  CHECK(mark.use_count() == 1);
}
