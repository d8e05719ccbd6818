// An hour of writing in small: limits a hundred times smaller, a journal turned over a hundred times.
#include "tests/storage/raw_database.h"
#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;

namespace {

constexpr uint64_t mib = 1 << 20;

void hundredth(SqliteLogOptions& o) {
  o.journal_flush_bytes = 640 << 10;
  o.wal_restart_bytes = 1 * mib;
  o.checkpoint_ms = 5;
  o.commit_interval_us = 100;
  o.scrub_ms = 50;
}

// Streams that come and go, with retention by size, beside one that lives throughout.
struct Hour {
  SqliteHarness& h;
  uint64_t keep_bytes;
  std::map<StreamKey, Seq> live;
  std::map<StreamKey, std::string> ids;
  size_t born = 0, removed = 0;
  uint64_t written = 0, peak_journal = 0, peak_database = 0, peak_wal = 0;

  void tick(const std::string& text) {
    while (live.size() < 30) {
      std::string id = "strm_" + std::to_string(born++);
      StreamKey key = h.make(id);
      live[key] = 1;
      ids[key] = id;
    }
    for (auto it = live.begin(); it != live.end();) {
      h.text(it->first, ++it->second, text);
      written += text.size();
      if (it->second < 200) {
        ++it;
        continue;
      }
      h.log().finish(it->first, it->second + 1, {"completed", "{}", static_cast<int64_t>(it->first)});
      it = live.erase(it);
    }
    if (!h.eventually([&] { return h.log().status().uncommitted_bytes < 64 << 10; })) throw std::runtime_error("stuck");
  }
  void retain() {
    auto old = h.expired(0, keep_bytes, 100);
    for (const auto& row : *old) removed += h.remove(row.stream_id, 10'000).has_value();
  }
  void measure() {
    peak_journal = std::max(peak_journal, h.log().figures().journal_bytes);
    peak_database = std::max(peak_database, h.size_of("log.db"));
    peak_wal = std::max(peak_wal, h.size_of("log.db-wal"));
  }
};

}  // namespace

TEST_CASE("database, WAL and memory stay bounded over many turns of the journal, with one slow stream alive") {
  SqliteHarness h(hundredth);
  Hour hour{h, 8 * mib, {}, {}};
  StreamKey slow = h.make("strm_slow");
  Seq slow_seq = 1;
  const std::string text(400, 't');
  for (int tick = 0; hour.written < 40 * mib; ++tick) {
    hour.tick(text);
    if (tick % 20 == 0) {
      h.text(slow, ++slow_seq, "s");
      hour.retain();
      hour.measure();
    }
  }
  INFO("journal " << hour.peak_journal << " database " << hour.peak_database << " WAL " << hour.peak_wal);
  CHECK(hour.removed > 100);
  CHECK(h.log().figures().segments_written > 100);
  // The journal is also what is in memory. It grows while it is flushed, here faster than the disk likes.
  CHECK(hour.peak_journal < 3 * 640 * 1024);
  // What retention keeps, a journal, what was removed and is not scrubbed yet, and room to work.
  CHECK(hour.peak_database < 2 * 8 * mib + 4 * mib);
  CHECK(hour.peak_wal < 8 * mib);

  h.finish(slow, slow_seq + 1);
  auto events = h.events(slow);
  REQUIRE(events.size() == slow_seq + 1);
  for (Seq seq = 2; seq <= slow_seq; ++seq) REQUIRE(events[seq - 1].payload == "s");
}

TEST_CASE("free pages go back to the disk") {
  SqliteHarness h(hundredth);
  StreamKey key = h.make("strm_a");
  const std::string text(16'000, 't');
  for (Seq seq = 2; seq < 1000; ++seq) {
    h.text(key, seq, text);
    REQUIRE(h.eventually([&] { return h.log().status().uncommitted_bytes < 128 << 10; }));
  }
  h.finish(key, 1000);
  REQUIRE(h.eventually([&] { return h.size_of("log.db") > 14 * mib; }));
  REQUIRE(h.remove("strm_a", 10'000));
  CHECK(h.eventually([&] { return h.size_of("log.db") < 3 * mib; }));
}

TEST_CASE("tombstones older than a day are dropped") {
  std::atomic<int64_t> now{10'000};
  SqliteHarness h([&](SqliteLogOptions& o) { o.wall_ms = [&] { return now.load(); }; });
  h.finish(h.make("strm_a"), 2);
  REQUIRE(h.remove("strm_a", 10'000));
  CHECK(h.find("strm_a").error().code == Errc::gone);
  now += 24 * 3600 * 1000;
  CHECK(h.find("strm_a").error().code == Errc::not_found);
  RawDatabase raw(h.database());
  CHECK(h.eventually([&] { return raw.integer("SELECT count(*) FROM tombstones") == 0; }));
}
