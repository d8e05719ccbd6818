#include "storage/database.h"

#include "storage/schema.h"
#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;

TEST_CASE("statements bind bytes as they are, and errors are values") {
  TempDirectory directory;
  const std::string path = directory.path() + "/a.db";
  auto db = Database::open(path, Database::Mode::write, "");
  REQUIRE(db);
  REQUIRE(db->exec("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c BLOB)") == SQLITE_OK);
  Statement insert, select;
  REQUIRE(db->prepare("INSERT INTO t VALUES(?1, ?2, ?3)", insert) == SQLITE_OK);
  const std::string bytes("a\0b\xff", 4);
  REQUIRE(insert.bind(1, 1).bind_text(2, bytes).bind_blob(3, bytes).run() == SQLITE_OK);
  REQUIRE(insert.bind(1, 2).bind_text(2, {}).bind_blob(3, {}).run() == SQLITE_OK);
  REQUIRE(db->prepare("SELECT b, c, b IS NULL OR c IS NULL FROM t ORDER BY a", select) == SQLITE_OK);
  REQUIRE(select.step() == SQLITE_ROW);
  CHECK(select.bytes(0) == bytes);
  CHECK(select.bytes(1) == bytes);
  REQUIRE(select.step() == SQLITE_ROW);
  CHECK(select.bytes(0).empty());
  CHECK(select.integer(2) == 0);
  CHECK(select.step() == SQLITE_DONE);
  CHECK((insert.bind(1, 1).bind_text(2, "x").bind_blob(3, "x").run() & 0xff) == SQLITE_CONSTRAINT);
  CHECK(db->integer("SELECT count(*) FROM t").value() == 2);
  CHECK(db->integer("SELECT a FROM t WHERE a = 77").value() == 0);
  CHECK(db->integer("SELECT nothing").error().code == Errc::io);

  auto reader = Database::open(path, Database::Mode::read, "");
  REQUIRE(reader);
  CHECK(reader->exec("DELETE FROM t") == SQLITE_READONLY);
  CHECK(Database::open(directory.path() + "/none.db", Database::Mode::read, "").error().code == Errc::io);
  CHECK(Database::open(path, Database::Mode::read, "no such vfs").error().code == Errc::io);
}

TEST_CASE("SQLite's codes mean what the log makes of them") {
  CHECK(errc_of(SQLITE_BUSY_SNAPSHOT) == Errc::log_stalled);
  CHECK(errc_of(SQLITE_FULL) == Errc::log_stalled);
  CHECK(errc_of(SQLITE_CORRUPT_INDEX) == Errc::corrupt);
  CHECK(errc_of(SQLITE_IOERR_READ) == Errc::io);
}

TEST_CASE("an empty file becomes ours once, and stays") {
  TempDirectory directory;
  auto db = Database::open(directory.path() + "/a.db", Database::Mode::write, "");
  REQUIRE(db);
  REQUIRE(prepare_schema(*db));
  CHECK(db->integer("PRAGMA user_version").value() == format_version);
  CHECK(db->integer("PRAGMA application_id").value() == tokenrelay_application_id);
  CHECK(db->integer("PRAGMA auto_vacuum").value() == 2);
  REQUIRE(prepare_schema(*db));
}

TEST_CASE("another program's database is not touched") {
  TempDirectory directory;
  auto db = Database::open(directory.path() + "/a.db", Database::Mode::write, "");
  REQUIRE(db->exec("CREATE TABLE theirs(a); PRAGMA user_version=1") == SQLITE_OK);
  CHECK(prepare_schema(*db).error().code == Errc::bad_version);
  CHECK(db->integer("SELECT count(*) FROM sqlite_master").value() == 1);
}
