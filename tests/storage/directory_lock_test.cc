#include "storage/directory_lock.h"

#include <sys/stat.h>
#include <unistd.h>

#include "storage/data_directory.h"
#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;

namespace {

mode_t mode_of(const std::string& path) {
  struct stat st {};
  REQUIRE(stat(path.c_str(), &st) == 0);
  return st.st_mode & 0777;
}

}  // namespace

TEST_CASE("a directory is made private and belongs to one holder, named by its pid") {
  TempDirectory parent;
  const std::string path = parent.path() + "/deep/data";
  REQUIRE(claim_directory(path));
  {
    auto held = DirectoryLock::take(path);
    REQUIRE(held);
    CHECK(mode_of(path) == 0700);
    CHECK(mode_of(path + "/lock") == 0600);
    auto second = DirectoryLock::take(path);
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Errc::locked);
    CHECK(second.error().message.find("process " + std::to_string(getpid())) != std::string::npos);
  }
  CHECK(DirectoryLock::take(path));
}

TEST_CASE("a pid left in the file by a dead process locks nobody out") {
  TempDirectory directory;
  std::ofstream(directory.path() + "/lock") << "1\n";
  CHECK(DirectoryLock::take(directory.path()));
}

TEST_CASE("a directory that is a file, or cannot be made, is an error") {
  TempDirectory directory;
  std::ofstream(directory.path() + "/file") << "x";
  CHECK(claim_directory(directory.path() + "/file").error().code == Errc::io);
  CHECK(claim_directory(directory.path() + "/file/below").error().code == Errc::io);
}

TEST_CASE("a second log on the same directory is refused, and all files are private") {
  SqliteHarness h([](SqliteLogOptions& o) { o.reserve_bytes = 4096; });
  h.finish(h.make("strm_a"), 2);
  auto options = plain_options(h.directory());
  options.post = h.loop().poster();
  auto second = open_sqlite_log(options, h);
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::locked);
  CHECK(second.error().message.find(std::to_string(getpid())) != std::string::npos);
  CHECK(mode_of(h.directory()) == 0700);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(h.directory())) {
    INFO(entry.path().string());
    CHECK(mode_of(entry.path().string()) == 0600);
    ++files;
  }
  CHECK(files == 5);  // the database, its WAL and index, the lock, the reserve
}
