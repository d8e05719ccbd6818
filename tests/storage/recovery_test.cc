#include "storage/recovery.h"

#include "storage/schema.h"
#include "tests/storage/raw_database.h"
#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;

namespace {

// The journal stays as it was written: no flush, no tidying of what recovery found.
void no_flush(SqliteLogOptions& o) {
  o.journal_flush_ms = 3'600'000;
  o.commit_interval_us = 0;
}

void damage(const std::string& path, const std::string& where) {
  RawDatabase db(path);
  db.exec("UPDATE journal SET body = CAST(substr(body, 1, length(body) - 1) || x'58' AS BLOB) WHERE " + where);
}

}  // namespace

TEST_CASE("the stream's owner decides on recovery whether it goes on") {
  SqliteHarness h;
  StreamKey ends = h.make("strm_ends"), goes_on = h.make("strm_goes_on");
  h.log().keep_continuation(ends, "taken back");
  h.log().keep_continuation(goes_on, "first");
  h.log().keep_continuation(goes_on, std::string("sec\0nd", 6));
  h.log().keep_continuation(ends, "");
  h.text(goes_on, 2, "x");
  REQUIRE(h.wait_durable(goes_on, 2));
  std::vector<StreamRow> asked;
  h.options().recover = [&](const StreamRow& row) {
    asked.push_back(row);
    bool finish = row.stream_id == "strm_ends";
    return RecoveryDecision{
        finish, {"interrupted", "{\"i\":1}", 77}, finish ? "" : "{\"attempt\":2}", finish ? "" : "third"};
  };
  std::vector<StreamRow> continued;
  h.options().continued = [&](StreamRow row) { continued.push_back(std::move(row)); };
  h.reopen();
  REQUIRE(asked.size() == 2);
  CHECK(asked[0].continuation == "");
  CHECK(asked[1].continuation == std::string("sec\0nd", 6));
  CHECK(asked[1].stream_id == "strm_goes_on");
  CHECK(asked[1].last_seq == 2);
  REQUIRE(asked[1].runs.size() == 1);
  CHECK(asked[1].runs[0].last_seq == 2);

  CHECK(h.find("strm_ends")->finished_ms == 77);
  CHECK(h.events(ends).back() == Event{2, EventKind::done, "{\"i\":1}"});
  auto row = h.find("strm_goes_on");
  CHECK(row->status.empty());
  REQUIRE(row->runs.size() == 2);
  CHECK(row->runs[1].first_seq == 3);
  REQUIRE(continued.size() == 1);
  CHECK(continued[0].key == goes_on);
  CHECK(continued[0].last_seq == 3);
  CHECK(continued[0].runs.back().token == row->runs[1].token);
  CHECK(continued[0].continuation == asked[1].continuation);
  CHECK(h.events(goes_on).back() == Event{3, EventKind::upstream, "{\"attempt\":2}"});
  h.reopen();  // before anything was said
  REQUIRE(asked.size() == 3);
  CHECK(asked[2].continuation == "third");
  CHECK(asked[2].last_seq == 3);
  h.text(goes_on, 5, "y");
  h.finish(goes_on, 6);
  auto events = h.events(goes_on);
  h.reopen();
  CHECK(asked.size() == 3);  // nothing was unfinished
  h.shut();
  CHECK(RawDatabase(h.database()).integer("SELECT count(*) FROM continuations") == 0);
  h.reopen();
  CHECK(h.events(goes_on) == events);
}

TEST_CASE("recovery joins the journal to segments that reach into it") {
  SqliteHarness h(no_flush);
  StreamKey key = h.make("strm_a");
  for (Seq seq = 2; seq <= 30; ++seq) {
    h.text(key, seq, "text " + std::to_string(seq));
    REQUIRE(h.wait_durable(key, seq));
  }
  h.finish(key, 31);
  auto events = h.events(key);
  h.shut();
  {
    // A journal whose rows were kept though segments hold some of their events: as after a kill within a flush.
    RawDatabase db(h.database());
    db.exec("CREATE TABLE kept AS SELECT * FROM journal");
  }
  h.options().journal_flush_bytes = 1;
  h.reopen();
  REQUIRE(h.eventually([&] { return h.log().figures().segments_written > 0 && h.log().figures().journal_bytes == 0; }));
  h.shut();
  {
    RawDatabase db(h.database());
    CHECK(db.integer("SELECT count(*) FROM segments") >= 1);
    db.exec("INSERT OR REPLACE INTO journal SELECT * FROM kept; DROP TABLE kept");
  }
  h.reopen();
  CHECK(h.find("strm_a")->status == "completed");
  CHECK(h.events(key) == events);
}

TEST_CASE("a damaged journal row ends the streams that had events in it, before the gap") {
  SqliteHarness h(no_flush);
  StreamKey before = h.make("strm_before");  // finished before the damage
  h.finish(before, 2);
  StreamKey across = h.make("strm_across");  // has events before, in and after it
  auto lost = h.create(h.stream("strm_lost"));
  h.text(across, 2, "kept");
  REQUIRE(h.wait_durable(across, 2));
  StreamKey inside = h.make("strm_inside");  // ends within the damaged row
  RawDatabase raw(h.database());
  const int64_t last_good = raw.integer("SELECT max(id) FROM journal");
  h.text(across, 3, "lost");
  h.log().finish(inside, 2, {"completed", "{}", 5});
  REQUIRE(h.wait_durable(inside, 2));
  const int64_t last_bad = raw.integer("SELECT max(id) FROM journal");
  h.text(across, 4, "beyond the gap");
  h.finish(across, 5);
  StreamKey after = h.make("strm_after");
  h.finish(after, 2);
  h.shut();
  damage(h.database(), "id > " + std::to_string(last_good) + " AND id <= " + std::to_string(last_bad));

  h.reopen();
  for (const char* id : {"strm_before", "strm_after"}) {
    CHECK(h.find(id)->status == "completed");
    CHECK(h.find(id)->runs.size() == 1);
  }
  CHECK(h.find("strm_lost")->status == "interrupted");  // unfinished and whole: by its owner's decision
  CHECK(h.find("strm_lost")->done == "{\"status\":\"interrupted\"}");
  for (auto [id, key, last] : {std::tuple{"strm_across", across, Seq{3}}, std::tuple{"strm_inside", inside, Seq{2}}}) {
    auto row = h.find(id);
    CHECK(row->status == "interrupted");
    CHECK(row->done.find("log_corrupt") != std::string::npos);
    CHECK(row->last_seq == last);
    REQUIRE(row->runs.size() == 2);
    CHECK(row->runs[0].last_seq == last - 1);
    auto events = h.events(key);
    REQUIRE(events.size() == last);
    CHECK(events.back().kind == EventKind::done);
    CHECK(events.back().payload == row->done);
  }
  CHECK(h.events(across)[1].payload == "kept");
  CHECK(h.log().figures().corrupt_rows == static_cast<uint64_t>(last_bad - last_good));
  CHECK(raw.integer("SELECT count(*) FROM corrupt_rows") == last_bad - last_good);

  h.reopen();  // the row is aside: nothing is found twice
  CHECK(h.log().figures().corrupt_rows == static_cast<uint64_t>(last_bad - last_good));
  CHECK(h.find("strm_across")->runs.size() == 2);
  REQUIRE(h.make("strm_new") > after);
}

TEST_CASE("a stream whose every event was in a damaged row still ends") {
  SqliteHarness h(no_flush);
  auto made = h.create(h.stream("strm_a"));
  h.text(made->key, 2, "x");
  h.finish(made->key, 3);
  h.shut();
  damage(h.database(), "true");
  h.reopen();
  auto row = h.find("strm_a");
  REQUIRE(row);
  CHECK(row->status == "interrupted");
  CHECK(row->last_seq == 1);
  auto events = h.events(made->key);
  REQUIRE(events.size() == 1);
  CHECK(events[0].kind == EventKind::done);
  CHECK(h.find_run(made->run).error().code == Errc::not_found);  // its cursors name nothing that is still there
}

TEST_CASE("a damaged segment is an error, not wrong text") {
  SqliteHarness h([](SqliteLogOptions& o) { o.journal_flush_bytes = 1; });
  StreamKey key = h.make("strm_a");
  h.finish(key, 2);
  REQUIRE(h.eventually([&] { return h.log().figures().journal_bytes == 0; }));
  RawDatabase(h.database()).exec("UPDATE segments SET body = CAST(substr(body, 1, length(body) - 1) || x'58' AS BLOB)");
  CHECK(h.read(key, 0, 1000).error().code == Errc::corrupt);
}

TEST_CASE("a log of version 1 is brought up to date") {
  SqliteHarness h;
  h.finish(h.make("strm_a"), 2);
  h.shut();
  RawDatabase(h.database()).exec("DROP TABLE continuations; PRAGMA user_version=1");
  REQUIRE(h.open());
  CHECK(h.find("strm_a")->status == "completed");
  h.shut();
  CHECK(RawDatabase(h.database()).integer("PRAGMA user_version") == format_version);
  CHECK(RawDatabase(h.database()).integer("SELECT count(*) FROM continuations") == 0);
}

TEST_CASE("an unknown format version is refused, and nothing is changed") {
  SqliteHarness h;
  h.finish(h.make("strm_a"), 2);
  h.shut();
  const int version = GENERATE(0, 4, 99);
  RawDatabase(h.database()).exec("PRAGMA user_version=" + std::to_string(version));
  auto refused = h.open();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::bad_version);
  CHECK(RawDatabase(h.database()).integer("PRAGMA user_version") == version);
  RawDatabase(h.database()).exec("PRAGMA user_version=" + std::to_string(format_version));
  REQUIRE(h.open());
  CHECK(h.find("strm_a")->status == "completed");
}

TEST_CASE("a file that is no database is refused") {
  SqliteHarness h;
  h.shut();
  for (const char* name : {"/log.db-wal", "/log.db-shm"}) std::filesystem::remove(h.directory() + name);
  std::ofstream(h.database(), std::ios::trunc) << std::string(8192, 'x');
  auto refused = h.open();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::corrupt);
}

TEST_CASE("a log without its lock file, WAL index or reserve opens") {
  SqliteHarness h;
  StreamKey key = h.make("strm_a");
  h.finish(key, 2);
  h.shut();
  for (const char* name : {"/lock", "/log.db-shm", "/reserve"}) std::filesystem::remove(h.directory() + name);
  h.reopen();
  CHECK(h.events(key).size() == 2);
}

TEST_CASE("a copy made while the log runs, and a directory that was moved, open as FORMAT.md says") {
  SqliteHarness h;
  StreamKey ended = h.make("strm_ended"), live = h.make("strm_live");
  h.finish(ended, 2);
  h.text(live, 2, "x");
  REQUIRE(h.wait_durable(live, 2));
  TempDirectory backup;
  RawDatabase(h.database()).exec("VACUUM INTO '" + backup.path() + "/log.db'");
  SqliteHarness restored([&](SqliteLogOptions& o) { o.directory = backup.path(); });
  CHECK(restored.find("strm_ended")->status == "completed");
  CHECK(restored.find("strm_live")->status == "interrupted");
  CHECK(restored.events(live).size() == 3);
  CHECK(h.find("strm_live")->status.empty());  // the original goes on

  h.shut();
  TempDirectory moved;
  for (const char* name : {"/log.db", "/log.db-wal"}) {
    std::filesystem::copy_file(h.directory() + name, moved.path() + name);
  }
  SqliteHarness elsewhere([&](SqliteLogOptions& o) { o.directory = moved.path(); });
  CHECK(elsewhere.find("strm_ended")->status == "completed");
  CHECK(elsewhere.events(live).size() == 3);
}

TEST_CASE("what is stored is counted alike before and after a restart") {
  SqliteHarness h;
  StreamKey a = h.make("strm_a");
  h.text(a, 2, std::string(5000, 'x'));
  h.finish(a, 3, 1000);
  StreamKey b = h.make("strm_b");  // ended by recovery, and counted from then on
  h.text(b, 2, std::string(7000, 'x'));
  REQUIRE(h.wait_durable(b, 2));
  CHECK(h.expired(0, 6000, 10)->size() == 1);
  CHECK(h.expired(0, 6300, 10)->empty());
  h.reopen();
  CHECK(h.expired(0, 14'400, 10)->empty());
  CHECK(h.expired(0, 14'000, 10)->size() == 1);
  CHECK(h.expired(0, 100, 10)->size() == 2);
}
