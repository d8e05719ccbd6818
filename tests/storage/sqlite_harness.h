// An SQLite log in a directory of its own, which goes with the test.
#pragma once

#include <sys/random.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "storage/sqlite_event_log.h"
#include "tests/contract/log_harness.h"

namespace tokenrelay::storage {

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tokenrelay-XXXXXX").string();
    if (!mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline void draw(void* to, size_t bytes) {
  if (getrandom(to, bytes, 0) != static_cast<ssize_t>(bytes)) abort();
}

// Options that work; a test changes what it is about.
inline SqliteLogOptions plain_options(const std::string& directory) {
  SqliteLogOptions o;
  o.directory = directory;
  o.sync = SyncLevel::normal;
  o.reserve_bytes = 0;
  o.wall_ms = [] { return int64_t{10'000}; };
  o.random = draw;
  o.recover = [](const StreamRow&) {
    return RecoveryDecision{true, {"interrupted", "{\"status\":\"interrupted\"}", 3000}, "", ""};
  };
  return o;
}

class SqliteHarness : public LogHarness {
 public:
  explicit SqliteHarness(const std::function<void(SqliteLogOptions&)>& change = {})
      : options_(plain_options(directory_.path())) {
    options_.post = loop_.poster();
    if (change) change(options_);
    reopen();
  }
  ~SqliteHarness() override { log_.reset(); }

  void reopen() override {
    auto opened = open();
    if (!opened) throw std::runtime_error("open: " + opened.error().message);
  }
  Result<void> open() {
    log_.reset();
    auto opened = open_sqlite_log(options_, *this);
    if (!opened) return tl::unexpected(opened.error());
    log_ = std::move(*opened);
    return {};
  }
  void shut() { log_.reset(); }

  SqliteLogOptions& options() { return options_; }
  const std::string& directory() const { return directory_.path(); }
  std::string database() const { return directory_.path() + "/log.db"; }
  uint64_t size_of(const std::string& name) const {
    std::error_code missing;
    auto size = std::filesystem::file_size(directory_.path() + "/" + name, missing);
    return missing ? 0 : size;
  }
  // Whether any file of the directory holds these bytes.
  bool on_disk(const std::string& needle) const {
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
      std::ifstream in(entry.path(), std::ios::binary);
      std::stringstream all;
      all << in.rdbuf();
      if (all.str().find(needle) != std::string::npos) return true;
    }
    return false;
  }
  // Lets the log work until `done`, or the time is up.
  bool eventually(const std::function<bool()>& done) { return loop_.run_until(done); }

 private:
  TempDirectory directory_;
  SqliteLogOptions options_;
};

}  // namespace tokenrelay::storage
