#include "storage/database.h"

namespace tokenrelay::storage {

Statement& Statement::bind(int index, int64_t value) {
  sqlite3_bind_int64(handle_, index, value);
  return *this;
}

Statement& Statement::bind_text(int index, std::string_view value) {
  // A null pointer would bind NULL.
  sqlite3_bind_text64(handle_, index, value.data() ? value.data() : "", value.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

Statement& Statement::bind_blob(int index, std::string_view value) {
  sqlite3_bind_blob64(handle_, index, value.data() ? value.data() : "", value.size(), SQLITE_STATIC);
  return *this;
}

int Statement::step() {
  return sqlite3_step(handle_);
}

int Statement::run() {
  int rc;
  do {
    rc = sqlite3_step(handle_);
  } while (rc == SQLITE_ROW);
  int late = sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
  return rc == SQLITE_DONE ? late : rc;
}

void Statement::reset() {
  sqlite3_reset(handle_);
  sqlite3_clear_bindings(handle_);
}

std::string_view Statement::bytes(int column) {
  const void* data = sqlite3_column_blob(handle_, column);
  if (!data) return {};
  return {static_cast<const char*>(data), static_cast<size_t>(sqlite3_column_bytes(handle_, column))};
}

Result<Database> Database::open(const std::string& path, Mode mode, const std::string& vfs) {
  Database db;
  // A reader opens for writing too: in WAL mode it takes read locks in the shared-memory file. query_only prevents
  // writes.
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | (mode == Mode::write ? SQLITE_OPEN_CREATE : 0);
  int rc = sqlite3_open_v2(path.c_str(), &db.handle_, flags, vfs.empty() ? nullptr : vfs.c_str());
  if (rc != SQLITE_OK) return tl::unexpected(db.error(rc, "open " + path));
  sqlite3_extended_result_codes(db.handle_, 1);
  // Closing must not checkpoint: after a failed sync that could copy lost pages into the database.
  sqlite3_db_config(db.handle_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(db.handle_, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  if (mode == Mode::read) {
    rc = db.exec("PRAGMA query_only=ON");
    if (rc != SQLITE_OK) return tl::unexpected(db.error(rc, "open " + path));
  }
  return db;
}

Database::~Database() {
  sqlite3_close_v2(handle_);
}

int Database::exec(const char* sql) {
  return sqlite3_exec(handle_, sql, nullptr, nullptr, nullptr);
}

int Database::prepare(const char* sql, Statement& out) {
  Statement made;
  int rc = sqlite3_prepare_v3(handle_, sql, -1, SQLITE_PREPARE_PERSISTENT, &made.handle_, nullptr);
  if (rc == SQLITE_OK) out = std::move(made);
  return rc;
}

Result<int64_t> Database::integer(const char* sql) {
  Statement s;
  int rc = prepare(sql, s);
  if (rc == SQLITE_OK) rc = s.step();
  if (rc == SQLITE_ROW) return s.integer(0);
  if (rc == SQLITE_DONE) return 0;
  return tl::unexpected(error(rc, std::string("run ") + sql));
}

void Database::rollback() {
  if (in_transaction()) exec("ROLLBACK");
}

Errc errc_of(int rc) {
  switch (rc & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_FULL:
      return Errc::log_stalled;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return Errc::corrupt;
    default:
      return Errc::io;
  }
}

Error Database::error(int rc, const std::string& doing) const {
  std::string text = "cannot " + doing + ": " + sqlite3_errstr(rc) + " (" + std::to_string(rc) + ")";
  if (handle_) text += std::string(": ") + sqlite3_errmsg(handle_);
  return {errc_of(rc), text};
}

}  // namespace tokenrelay::storage
