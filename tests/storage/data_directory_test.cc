#include "storage/data_directory.h"

#include <sys/stat.h>
#include <unistd.h>

#include "storage/reserve_file.h"
#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;

namespace {

constexpr uid_t nobody = 65534;

mode_t mode_of(const std::string& path) {
  struct stat st {};
  REQUIRE(lstat(path.c_str(), &st) == 0);
  return st.st_mode & 07777;
}

std::string content_of(const std::string& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

bool says(const Result<std::string>& claimed, const std::string& part) {
  REQUIRE_FALSE(claimed);
  INFO(claimed.error().message);
  return claimed.error().message.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a missing directory is made, private, with what is missing above it") {
  TempDirectory parent;
  const std::string path = parent.path() + "/deep/down/data";
  CHECK(claim_directory(path + "//").value() == path);
  CHECK(mode_of(path) == 0700);
  CHECK(claim_directory(path).value() == path);
}

TEST_CASE("a directory of ours is made private if it is empty or holds our log") {
  TempDirectory directory;
  REQUIRE(chmod(directory.path().c_str(), 0755) == 0);
  CHECK(claim_directory(directory.path()).value() == directory.path());
  CHECK(mode_of(directory.path()) == 0700);
  std::ofstream(directory.path() + "/log.db") << "x";
  std::ofstream(directory.path() + "/other") << "x";
  REQUIRE(chmod(directory.path().c_str(), 0755) == 0);
  CHECK(claim_directory(directory.path()).value() == directory.path());
  CHECK(mode_of(directory.path()) == 0700);
}

TEST_CASE("a private directory of ours is taken whatever it holds") {
  TempDirectory directory;
  std::ofstream(directory.path() + "/other") << "x";
  CHECK(claim_directory(directory.path()).value() == directory.path());
}

TEST_CASE("a directory that others use is left as it is: the log goes below it") {
  TempDirectory directory;
  std::ofstream(directory.path() + "/other") << "x";
  REQUIRE(chmod(directory.path().c_str(), 01777) == 0);
  const std::string below = directory.path() + "/tokenrelay";
  CHECK(claim_directory(directory.path()).value() == below);
  CHECK(mode_of(directory.path()) == 01777);
  CHECK(mode_of(directory.path() + "/other") != 0600);
  CHECK(mode_of(below) == 0700);
  REQUIRE(chmod(below.c_str(), 0755) == 0);
  CHECK(claim_directory(directory.path()).value() == below);
  CHECK(mode_of(below) == 0700);
  SECTION("not into a link of that name") {
    TempDirectory victim;
    REQUIRE(rmdir(below.c_str()) == 0);
    REQUIRE(symlink(victim.path().c_str(), below.c_str()) == 0);
    CHECK(says(claim_directory(directory.path()), "tokenrelay is not a directory: remove it"));
  }
  SECTION("not beside a log that is not ours") {
    REQUIRE(symlink(below.c_str(), (directory.path() + "/log.db").c_str()) == 0);
    CHECK(says(claim_directory(directory.path()), "log.db is a symbolic link"));
  }
}

TEST_CASE("a volume that belongs to root and to our group is used below, a foreign directory is refused") {
  if (geteuid() != 0) return;  // only root can make these
  TempDirectory directory;
  REQUIRE(chown(directory.path().c_str(), nobody, 0) == 0);
  SECTION("shared with the group, as Kubernetes' fsGroup does") {
    REQUIRE(chmod(directory.path().c_str(), 02775) == 0);
    const std::string below = directory.path() + "/tokenrelay";
    CHECK(claim_directory(directory.path()).value() == below);
    CHECK(mode_of(directory.path()) == 02775);
    CHECK((mode_of(below) & 0777) == 0700);
    std::ofstream(directory.path() + "/log.db") << "x";
    REQUIRE(chown((directory.path() + "/log.db").c_str(), nobody, 0) == 0);
    CHECK(
        says(claim_directory(directory.path()), "log.db belongs to user 65534, and this process runs as user 0: give"));
    REQUIRE(unlink((directory.path() + "/log.db").c_str()) == 0);
    REQUIRE(chown(below.c_str(), nobody, 0) == 0);
    CHECK(says(claim_directory(directory.path()), "tokenrelay belongs to user 65534"));
  }
  SECTION("its owner's alone") {
    REQUIRE(chmod(directory.path().c_str(), 0755) == 0);
    CHECK(says(claim_directory(directory.path()), "belongs to user 65534, and this process runs as user 0: name"));
    CHECK(mode_of(directory.path()) == 0755);
  }
  SECTION("where a former version left our log") {
    REQUIRE(chmod(directory.path().c_str(), 0700) == 0);
    std::ofstream(directory.path() + "/log.db") << "x";
    CHECK(claim_directory(directory.path()).value() == directory.path());
    REQUIRE(chown((directory.path() + "/log.db").c_str(), nobody, 0) == 0);
    CHECK(says(claim_directory(directory.path()), "belongs to user 65534"));
  }
}

TEST_CASE("none of the log's files is followed or taken from another user") {
  TempDirectory directory, elsewhere;
  const std::string victim = elsewhere.path() + "/victim";
  std::ofstream(victim) << "precious";
  REQUIRE(chmod(victim.c_str(), 0644) == 0);
  const std::string name = GENERATE("lock", "log.db", "log.db-wal", "log.db-shm", "reserve");
  CAPTURE(name);
  const std::string path = directory.path() + "/" + name;
  SECTION("a link") {
    REQUIRE(symlink(victim.c_str(), path.c_str()) == 0);
    const auto opened = open_private_file(path);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().message.find("is a symbolic link") != std::string::npos);
    SqliteLogOptions options = plain_options(directory.path());
    options.reserve_bytes = 4096;
    TestLoop loop;
    options.post = loop.poster();
    struct Deaf final : Observer {
      void on_durable(std::span<const Durable>, int64_t) override {}
      void on_log_state() override {}
    } deaf;
    const auto log = open_sqlite_log(options, deaf);
    CHECK(log.has_value() == (name == "reserve"));  // without its reserve the log works
    if (!log) CHECK(log.error().message == path + " is a symbolic link: remove it, or move the file it names here");
  }
  SECTION("another name of a file") {
    REQUIRE(link(victim.c_str(), path.c_str()) == 0);
    CHECK(open_private_file(path).error().message.find("is a hard link") != std::string::npos);
    CHECK(check_private_file(path).error().message.find("is a hard link") != std::string::npos);
  }
  SECTION("another user's") {
    if (geteuid() != 0) return;
    std::ofstream(path) << "x";
    REQUIRE(chown(path.c_str(), nobody, 0) == 0);
    CHECK(open_private_file(path).error().message.find("belongs to user 65534") != std::string::npos);
  }
  SECTION("not a file") {
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    CHECK(open_private_file(path).error().message.find("is not a regular file") != std::string::npos);
  }
  CHECK(content_of(victim) == "precious");
  CHECK(mode_of(victim) == 0644);
}

TEST_CASE("a log opens below a shared directory, and is found there again") {
  TempDirectory shared;
  std::ofstream(shared.path() + "/other") << "x";
  REQUIRE(chmod(shared.path().c_str(), 0777) == 0);
  std::vector<std::string> said;
  SqliteHarness h([&](SqliteLogOptions& o) {
    o.directory = shared.path();
    o.report = [&said](int, const std::string& text) { said.push_back(text); };
  });
  h.finish(h.make("strm_a"), 2);
  REQUIRE_FALSE(said.empty());
  CHECK(said[0] == "the events are in " + shared.path() + "/tokenrelay (sync = normal), since " + shared.path() +
                       " is not this process's own");
  CHECK(std::filesystem::exists(shared.path() + "/tokenrelay/log.db"));
  CHECK(mode_of(shared.path()) == 0777);
  h.reopen();
  CHECK(h.find("strm_a")->status == "completed");
}
