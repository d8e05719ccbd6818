#include "storage/health.h"

#include <sqlite3.h>

#include <thread>

#include "storage/reserve_file.h"
#include "storage/write_turn.h"
#include "tests/contract/log_status.h"
#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;
using namespace std::chrono_literals;

TEST_CASE("a failed sync and corruption are final, a full disk and a lock pass") {
  for (int code : {SQLITE_IOERR_FSYNC, SQLITE_IOERR_DIR_FSYNC, SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_READONLY,
                   SQLITE_IOERR_READ}) {
    CHECK(severity_of(code) == Severity::final);
  }
  for (int code : {SQLITE_FULL, SQLITE_BUSY, SQLITE_BUSY_RECOVERY, SQLITE_LOCKED, SQLITE_NOMEM, SQLITE_IOERR_WRITE,
                   SQLITE_IOERR_SHMSIZE}) {
    CHECK(severity_of(code) == Severity::passing);
  }
}

TEST_CASE("health says each change once, and nothing comes after failed") {
  int changes = 0;
  Health h([&] { ++changes; });
  h.recover();
  CHECK(changes == 0);
  h.stall("full", Clock::now() - 3s);
  checked(h.status(7));
  h.stall("full", Clock::now());
  CHECK(changes == 1);
  CHECK(h.status(7).stalled_ms >= 3000);
  CHECK(h.status(7).reason == "full");
  CHECK(h.status(7).uncommitted_bytes == 7);
  h.recover();
  CHECK(h.status(0).stalled_ms == 0);
  CHECK(changes == 2);
  h.fail("sync");
  checked(h.status(0));
  h.recover();
  h.stall("full", Clock::now());
  CHECK(changes == 3);
  CHECK(h.state() == LogState::failed);
}

TEST_CASE("a commit under way is no trouble, one that hangs is") {
  Health h([] {});
  h.commit_begins();
  CHECK(h.status(0).state == LogState::healthy);
  const auto deadline = Clock::now() + 10s;
  while (h.status(0).stalled_ms == 0 && Clock::now() < deadline) std::this_thread::sleep_for(10ms);
  CHECK(checked(h.status(0)).stalled_ms > slow_commit_ms);
  CHECK(h.status(0).state == LogState::healthy);
  h.commit_ends();
  CHECK(checked(h.status(0)).stalled_ms == 0);
}

TEST_CASE("the reserve holds blocks, gives them back once, and can be taken again") {
  TempDirectory directory;
  const std::string path = directory.path() + "/reserve";
  ReserveFile reserve(path, 64 << 10);
  CHECK_FALSE(reserve.release());
  reserve.hold();
  REQUIRE(reserve.held());
  CHECK(std::filesystem::file_size(path) == 64 << 10);
  CHECK(reserve.release());
  CHECK_FALSE(reserve.release());
  CHECK_FALSE(std::filesystem::exists(path));
  reserve.hold();
  CHECK(reserve.held());
  ReserveFile enormous(directory.path() + "/enormous", uint64_t{1} << 60);
  enormous.hold();
  CHECK_FALSE(enormous.held());
  CHECK_FALSE(std::filesystem::exists(directory.path() + "/enormous"));
}

TEST_CASE("the checkpointer's turn is the next one, however busy the writer") {
  WriteTurn turn;
  std::atomic<bool> stop{false};
  std::atomic<int> inside{0}, collisions{0};
  std::thread writer([&] {
    while (!stop) {
      WriteTurn::Held held(turn, WriteTurn::Who::writer);
      if (++inside != 1) ++collisions;
      --inside;
    }
  });
  for (int i = 0; i < 200; ++i) {
    WriteTurn::Held held(turn, WriteTurn::Who::checkpointer);
    if (++inside != 1) ++collisions;
    --inside;
  }
  stop = true;
  writer.join();
  CHECK(collisions == 0);
}
