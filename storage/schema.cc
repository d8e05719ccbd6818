#include "storage/schema.h"

#include <string>

namespace tokenrelay::storage {
namespace {

constexpr const char* version1 = R"(
CREATE TABLE streams(
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  stream_id TEXT NOT NULL UNIQUE,
  owner TEXT NOT NULL,
  model TEXT NOT NULL,
  provider TEXT NOT NULL,
  metadata TEXT NOT NULL,
  idempotency_key TEXT NOT NULL,
  body_hash BLOB NOT NULL,
  status TEXT NOT NULL,
  done TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  finished_ms INTEGER NOT NULL,
  last_seq INTEGER NOT NULL,
  stored_bytes INTEGER NOT NULL) STRICT;
CREATE UNIQUE INDEX streams_by_idempotency_key ON streams(idempotency_key) WHERE idempotency_key <> '';
CREATE INDEX streams_by_owner ON streams(owner, key);
CREATE INDEX streams_unfinished ON streams(key) WHERE status = '';
CREATE INDEX streams_by_finish ON streams(finished_ms, stored_bytes) WHERE status <> '';

CREATE TABLE runs(
  token TEXT PRIMARY KEY,
  key INTEGER NOT NULL,
  first_seq INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX runs_by_stream ON runs(key, first_seq);

CREATE TABLE requests(key INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE journal(id INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
CREATE TABLE segments(
  id INTEGER PRIMARY KEY, last_seq INTEGER NOT NULL, bytes INTEGER NOT NULL, body BLOB NOT NULL) STRICT;

CREATE TABLE tombstones(stream_id TEXT PRIMARY KEY, removed_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX tombstones_by_time ON tombstones(removed_ms);
CREATE TABLE removals(key INTEGER PRIMARY KEY) STRICT;
CREATE TABLE corrupt_rows(
  id INTEGER PRIMARY KEY, journal_id INTEGER NOT NULL, found_ms INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
)";

constexpr const char* version2 = R"(
CREATE TABLE continuations(key INTEGER PRIMARY KEY, body BLOB NOT NULL) STRICT;
)";

// Events of kind `own`, which an older program would not know.
constexpr const char* version3 = "";

// migrations[v] takes version v to v + 1.
constexpr const char* migrations[] = {version1, version2, version3};
static_assert(std::size(migrations) == format_version);

Result<void> migrate(Database& db, int64_t from) {
  int rc = db.exec("BEGIN IMMEDIATE");
  for (int64_t v = from; rc == SQLITE_OK && v < format_version; ++v) rc = db.exec(migrations[v]);
  std::string mark = "PRAGMA application_id=" + std::to_string(tokenrelay_application_id) +
                     "; PRAGMA user_version=" + std::to_string(format_version) + "; COMMIT";
  if (rc == SQLITE_OK) rc = db.exec(mark.c_str());
  if (rc == SQLITE_OK) return {};
  Error error = db.error(rc, "migrate the log's format");
  db.rollback();
  return tl::unexpected(error);
}

}  // namespace

Result<void> prepare_schema(Database& db) {
  auto tables = db.integer("SELECT count(*) FROM sqlite_master");
  if (!tables) return tl::unexpected(tables.error());
  auto version = db.integer("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  auto application = db.integer("PRAGMA application_id");
  if (!application) return tl::unexpected(application.error());
  bool fresh = *tables == 0 && *version == 0;
  if (!fresh && (*application != tokenrelay_application_id || *version < 1 || *version > format_version)) {
    return tl::unexpected(Error{Errc::bad_version, "the log has format version " + std::to_string(*version) +
                                                       "; this program supports versions 1 to " +
                                                       std::to_string(format_version)});
  }
  if (fresh) {  // auto_vacuum can only be chosen before the first table exists
    int rc = db.exec("PRAGMA auto_vacuum=INCREMENTAL");
    if (rc != SQLITE_OK) return tl::unexpected(db.error(rc, "set auto_vacuum"));
  }
  int rc = db.exec("PRAGMA journal_mode=WAL");
  if (rc != SQLITE_OK) return tl::unexpected(db.error(rc, "switch to WAL"));
  if (*version == format_version) return {};
  return migrate(db, *version);
}

}  // namespace tokenrelay::storage
