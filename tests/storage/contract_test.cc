#include "tests/contract/event_log_contract.h"
#include "tests/storage/sqlite_harness.h"

using namespace tokenrelay::storage;

TEST_CASE("SQLite keeps the event log's contract") {
  check_event_log_contract([] { return std::make_unique<SqliteHarness>(); });
}

TEST_CASE("SQLite keeps the contract at sync level full") {
  check_event_log_contract(
      [] { return std::make_unique<SqliteHarness>([](SqliteLogOptions& o) { o.sync = SyncLevel::full; }); });
}

TEST_CASE("SQLite keeps the contract while it flushes and checkpoints all the time") {
  check_event_log_contract([] {
    return std::make_unique<SqliteHarness>([](SqliteLogOptions& o) {
      o.journal_flush_bytes = 1;
      o.checkpoint_ms = 1;
      o.wal_restart_bytes = 1;
      o.commit_interval_us = 0;
      o.scrub_ms = 1;
    });
  });
}
