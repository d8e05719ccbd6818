// The database file: locked, corrupt, of another version. Refused clearly, and left as it was.
#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"
#include "tests/support/sse_connection.h"
#include "tests/support/transcript.h"

using namespace tokenrelay::support;

namespace {

Ran serve(const std::filesystem::path& data) {
  return run_program({TOKENRELAY_BINARY, "serve", "--listen", "127.0.0.1:0", "--data", data.string()}, 10s);
}

std::filesystem::path database_in(const std::filesystem::path& data) {
  for (const auto& file : std::filesystem::directory_iterator(data)) {
    if (read_text(file.path()).starts_with("SQLite format 3")) return file.path();
  }
  return {};
}

// A data directory with one completed stream, its WAL folded in, not in use.
struct Left {
  TempDir dir;
  std::string stream_id;
  std::filesystem::path data() const { return dir / "data"; }
  Left() {
    Relay relay;
    stream_id = relay.create();
    REQUIRE(relay.wait_status(stream_id, "completed", 60s));
    REQUIRE(relay.stop() == 0);
    std::filesystem::copy(relay.data(), data(), std::filesystem::copy_options::recursive);
    REQUIRE_FALSE(database_in(data()).empty());
  }
};

Ran sqlite(const std::filesystem::path& file, const std::string& sql) {
  return run_program(
      {"python3", "-c",
       "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\nprint(c.execute(sys.argv[2]).fetchall())\nc.commit()",
       file.string(), sql},
      20s);
}

}  // namespace

TEST_CASE("an unknown format version refuses to start and says so", "[database]") {
  Left left;
  const auto file = database_in(left.data());
  const Ran version = sqlite(file, "PRAGMA user_version");
  INFO(version.out << version.err);
  REQUIRE(version.status == 0);
  REQUIRE(sqlite(file, "PRAGMA user_version = 9999").status == 0);
  const auto before = read_text(file);
  const Ran ran = serve(left.data());
  INFO(ran.err);
  CHECK(ran.status == 1);
  CHECK(ran.err.find("9999") != std::string::npos);
  CHECK(read_text(file) == before);
}

TEST_CASE("a file that is no database, or half of one, refuses to start", "[database]") {
  Left left;
  const auto file = database_in(left.data());
  const auto good = read_text(file);
  for (const auto& bad :
       {std::string(100'000, 'x'), good.substr(0, good.size() / 2), "SQLite format 3" + std::string(5000, '\0')}) {
    write_text(file, bad);
    const Ran ran = serve(left.data());
    INFO(ran.err);
    CHECK(ran.status == 1);
    CHECK_FALSE(ran.err.empty());
    CHECK(ran.out.find("listening") == std::string::npos);
    CHECK(read_text(file) == bad);  // left for who can repair it
  }
}

TEST_CASE("a database that another program keeps locked refuses to start, or waits and then starts", "[database]") {
  Left left;
  TempDir out;
  Process holder({.argv = {"python3", "-u", "-c",
                           "import sqlite3,sys,time\nc=sqlite3.connect(sys.argv[1],isolation_level=None)\n"
                           "c.execute('BEGIN EXCLUSIVE')\nprint('held')\ntime.sleep(60)",
                           database_in(left.data()).string()},
                  .stdout_file = out / "out",
                  .stderr_file = out / "err"});
  REQUIRE(wait_until([&] { return read_text(out / "out").find("held") != std::string::npos; }, 10s));
  const Ran ran =
      run_program({TOKENRELAY_BINARY, "serve", "--listen", "127.0.0.1:0", "--data", left.data().string()}, 20s);
  INFO(ran.err);
  CHECK(ran.status == 1);
  CHECK(ran.err.find("lock") != std::string::npos);
}

TEST_CASE("a data directory that cannot be written refuses to start", "[database]") {
  TempDir dir;
  write_text(dir / "file", "not a directory");
  const Ran ran = serve(dir / "file");
  INFO(ran.err);
  CHECK((ran.status == 1 || ran.status == 2));
  CHECK(ran.err.find("file") != std::string::npos);
}

TEST_CASE("a copy of a stopped directory is a backup", "[database]") {
  Left left;
  TempDir out;
  Process relay({.argv = {TOKENRELAY_BINARY, "serve", "--listen", "127.0.0.1:0", "--data", left.data().string()},
                 .stdout_file = out / "out",
                 .stderr_file = out / "err"});
  REQUIRE(wait_until([&] { return read_text(out / "out").find('\n') != std::string::npos; }, 10s));
  const std::string line = read_text(out / "out");
  const auto port = static_cast<uint16_t>(std::stoi(line.substr(line.rfind(':') + 1)));
  SseConnection reader(port, events_request(left.stream_id));
  CHECK(transcript_of(reader.rest()).done->at("status") == "completed");
}

TEST_CASE("a damaged journal row: its streams end as log_corrupt, the others are whole", "[database]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 40 && call.pause(5ms); ++i) call.text("victim-" + std::to_string(i) + " ");
    call.wait_closed(30s);
  });
  Relay relay({.upstream = model.upstream()});
  const std::string id = relay.create();
  REQUIRE(wait_until([&] { return relay.state(id).value("text", "").find("victim-39 ") != std::string::npos; }, 10s));
  relay.kill_now();
  const auto file = database_in(relay.data());
  REQUIRE(sqlite(file, "PRAGMA wal_checkpoint(TRUNCATE)").status == 0);
  auto bytes = read_text(file);
  const auto at = bytes.find("victim-20 ");
  REQUIRE(at != std::string::npos);
  bytes[at + 3] = 'X';
  write_text(file, bytes);
  relay.start();
  const Json state = relay.state(id);
  INFO(state.dump());
  CHECK(state.at("status") == "interrupted");
  CHECK(state.at("error").at("code") == "log_corrupt");
  CHECK(state.at("text").get<std::string>().find("viXtim") == std::string::npos);
  // What shared the damaged row's commit went with it.
  std::string before;
  for (int i = 0; i < 20; ++i) before += "victim-" + std::to_string(i) + " ";
  const auto text = state.at("text").get<std::string>();
  CHECK(text.starts_with("victim-0 "));
  CHECK(before.starts_with(text));
  CHECK(relay.get("/readyz").status == 200);
}
