// SQLite with owners: a connection and its statements. Errors are SQLite's own codes, as values.
//
// A Database and its Statements belong to one thread at a time (SQLITE_OPEN_NOMUTEX).
#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "storage/result.h"

namespace tokenrelay::storage {

class Statement {
 public:
  Statement() = default;
  ~Statement() { sqlite3_finalize(handle_); }
  Statement(Statement&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }

  // Bound bytes are not copied: they must live until run() or reset().
  Statement& bind(int index, int64_t value);
  Statement& bind_text(int index, std::string_view value);
  Statement& bind_blob(int index, std::string_view value);

  int step();  // SQLITE_ROW, SQLITE_DONE or an error; after the latter two call reset()
  int run();   // to its end; SQLITE_OK or an error; resets
  void reset();

  int64_t integer(int column) { return sqlite3_column_int64(handle_, column); }
  std::string_view bytes(int column);  // until the next step or reset

 private:
  friend class Database;
  sqlite3_stmt* handle_ = nullptr;
};

class Database {
 public:
  enum class Mode { write, read };

  // `vfs` "": SQLite's default. A reader cannot change anything. Nothing waits on a lock: busy_timeout is 0.
  static Result<Database> open(const std::string& path, Mode mode, const std::string& vfs);

  Database() = default;
  ~Database();
  Database(Database&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Database& operator=(Database&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }

  int exec(const char* sql);
  int prepare(const char* sql, Statement& out);  // kept: SQLite may spend on planning
  Result<int64_t> integer(const char* sql);      // the first column of the first row; 0 if there is none
  int changes() const { return sqlite3_changes(handle_); }
  bool in_transaction() const { return !sqlite3_get_autocommit(handle_); }
  void rollback();

  Error error(int rc, const std::string& doing) const;  // with SQLite's message; `doing` completes "cannot …"
  sqlite3* handle() const { return handle_; }

 private:
  sqlite3* handle_ = nullptr;
};

Errc errc_of(int rc);

// A reader's snapshot for as long as this lives; keep it short, a snapshot holds the WAL back.
class Snapshot {
 public:
  explicit Snapshot(Database& db) : db_(db), rc_(db.exec("BEGIN")) {}
  ~Snapshot() { db_.rollback(); }
  Snapshot(const Snapshot&) = delete;
  int rc() const { return rc_; }

 private:
  Database& db_;
  int rc_;
};

}  // namespace tokenrelay::storage
