// Run: flags, exit statuses, the first line of output, one process to a directory.
#include "tests/support/catch.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {
Ran run_relay(std::vector<std::string> args, std::map<std::string, std::string> env = {}) {
  args.insert(args.begin(), TOKENRELAY_BINARY);
  return run_program(std::move(args), 20s, std::move(env));
}
}  // namespace

TEST_CASE("--version and --help end with 0", "[run]") {
  const Ran version = run_relay({"--version"});
  CHECK(version.status == 0);
  CHECK(version.out.find("0.") != std::string::npos);
  CHECK(run_relay({"--help"}).status == 0);
}

TEST_CASE("usage errors end with 2 and say what is wrong", "[run]") {
  TempDir dir;
  const std::string data = (dir / "data").string();
  const std::vector<std::vector<std::string>> bad = {
      {},
      {"launch"},
      {"serve", "--no-such-flag"},
      {"serve", "--data", data, "--listen", "nonsense"},
      {"serve", "--data", data, "--listen", "127.0.0.1:70000"},
      {"serve", "--data", data, "--listen", "127.0.0.1:"},
      {"serve", "--data", data, "--upstream", "nonsense"},
      {"serve", "--data", data, "--upstream", "martian=http://127.0.0.1:1/v1"},
      {"serve", "--data", data, "--upstream", "openai=not a url"},
      {"serve", "--data", data, "--config", (dir / "missing.toml").string()},
      {"check-config", (dir / "missing.toml").string()},
      {"check-config"},
  };
  for (const auto& args : bad) {
    const Ran ran = run_relay(args);
    std::string shown;
    for (const auto& a : args) shown += a + " ";
    INFO(shown << "\n" << ran.err);
    CHECK(ran.status == 2);
    CHECK_FALSE(ran.err.empty());
    CHECK(ran.out.find("listening") == std::string::npos);
  }
}

TEST_CASE("a bad configuration ends with 2 and names the line and the key", "[run]") {
  TempDir dir;
  struct Case {
    std::string text, line, key;
  };
  const std::vector<Case> cases = {
      {"listen = \"127.0.0.1:0\"\nno_such_key = 1\n", "2", "no_such_key"},
      {"[limits]\n\nheartbeet_ms = 5\n", "3", "heartbeet_ms"},
      {"[limits]\nheartbeat_ms = \"soon\"\n", "2", "heartbeat_ms"},
      {"[storage]\nsync = \"sometimes\"\n", "2", "sync"},
      {"listen = \n", "1", ""},
      {"[[upstream]]\nkind = \"martian\"\n", "2", "kind"},
  };
  for (const auto& c : cases) {
    write_text(dir / "t.toml", c.text);
    for (const auto& args : {std::vector<std::string>{"check-config", (dir / "t.toml").string()},
                             {"serve", "--data", (dir / "d").string(), "--config", (dir / "t.toml").string()}}) {
      const Ran ran = run_relay(args);
      INFO(c.text << "\n" << ran.err);
      CHECK(ran.status == 2);
      CHECK(ran.err.find(c.line) != std::string::npos);
      CHECK(ran.err.find(c.key) != std::string::npos);
    }
  }
  CHECK(run_relay({"serve", "--data", (dir / "d").string()}, {{"TOKENRELAY_LIMITS_HEARTBEAT_MS", "soon"}}).status == 2);
}

TEST_CASE("check-config accepts the sample configuration", "[run]") {
  const Ran ran = run_relay({"check-config", TOKENRELAY_SOURCE_DIR "/deploy/tokenrelay.toml"});
  INFO(ran.err);
  CHECK(ran.status == 0);
}

TEST_CASE("beyond loopback without authentication is refused unless allowed", "[run]") {
  TempDir dir;
  const Ran ran = run_relay({"serve", "--data", (dir / "d").string(), "--listen", "0.0.0.0:0"});
  INFO(ran.err);
  CHECK(ran.status == 2);
  CHECK(ran.err.find("allow_unauthenticated") != std::string::npos);
}

namespace {

// The variables that the image sets, as the Dockerfile has them.
std::map<std::string, std::string> image_environment() {
  std::map<std::string, std::string> variables;
  std::istringstream lines(read_text(TOKENRELAY_SOURCE_DIR "/deploy/docker/Dockerfile"));
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("ENV ")) continue;
    std::istringstream words(line.substr(4));
    for (std::string word; words >> word;) variables[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
  }
  return variables;
}

}  // namespace

TEST_CASE("the container's settings keep a rebound name out", "[run]") {
  TempDir dir;
  auto environment = image_environment();
  REQUIRE(environment.at("TOKENRELAY_LISTEN") == "0.0.0.0:8080");
  environment["TOKENRELAY_LISTEN"] = "0.0.0.0:0";
  environment["TOKENRELAY_DATA"] = (dir / "data").string();
  Process process({.argv = {TOKENRELAY_BINARY, "serve"},
                   .env = environment,
                   .stdout_file = dir / "out",
                   .stderr_file = dir / "err",
                   .work_dir = dir.path()});
  const std::string start = "tokenrelay listening on http://0.0.0.0:";
  REQUIRE(wait_until([&] { return read_text(dir / "out").ends_with("\n"); }, 20s));
  REQUIRE(read_text(dir / "out").starts_with(start));
  const auto port = static_cast<uint16_t>(std::stoi(read_text(dir / "out").substr(start.size())));
  auto create = [&](Fields fields) {
    fields.emplace_back("Content-Type", "application/json");
    return fetch(port, {.method = "POST", .target = "/v1/streams", .fields = fields, .body = R"({"prompt":"x"})"})
        .status;
  };
  CHECK(create({{"Host", "localhost:8080"}, {"Origin", "http://localhost:8080"}}) == 201);
  CHECK(create({{"Host", "127.0.0.1:9000"}}) == 201);
  CHECK(create({{"Host", "attacker.example:8080"}, {"Origin", "http://attacker.example:8080"}}) == 421);
  CHECK(fetch(port, {.target = "/v1/streams", .fields = {{"Host", "attacker.example"}}}).status == 421);
  CHECK(fetch(port, {.target = "/healthz", .fields = {{"Host", "10.1.2.3:8080"}}}).status == 200);
  // Without `hosts` it does not start.
  environment["TOKENRELAY_HOSTS"] = "";
  environment["TOKENRELAY_DATA"] = (dir / "other").string();
  const Ran ran = run_program({TOKENRELAY_BINARY, "serve"}, 20s, environment, dir.path());
  INFO(ran.err);
  CHECK(ran.status == 2);
  CHECK(ran.err.find("set hosts to the names that clients use") != std::string::npos);
}

TEST_CASE("the first line names the port, and only standard error is logged to", "[run]") {
  Relay relay;
  CHECK(relay.output().starts_with("tokenrelay listening on http://127.0.0.1:" + std::to_string(relay.port()) + "\n"));
  CHECK(relay.get("/healthz").status == 200);
  CHECK(wait_until([&] { return !relay.log().empty(); }, 5s));
}

TEST_CASE("flags win over the environment, which wins over the file", "[run]") {
  Relay relay({.config = "listen = \"127.0.0.1:1\"\ndefault_model = \"from-file\"\n",
               .env = {{"TOKENRELAY_LISTEN", "127.0.0.1:2"}, {"TOKENRELAY_DEFAULT_MODEL", "demo"}}});
  CHECK(relay.port() > 2);
  const Response made = relay.post("/v1/streams", {{"prompt", "x"}});
  INFO(made.body);
  CHECK(made.status == 201);
}

TEST_CASE("without --data the log is in ./tokenrelay-data, private to its user", "[run]") {
  TempDir dir;
  Process relay({.argv = {TOKENRELAY_BINARY, "serve", "--listen", "127.0.0.1:0"},
                 .env = {},
                 .stdout_file = dir / "out",
                 .stderr_file = dir / "err",
                 .work_dir = dir.path(),
                 .descriptors = {}});
  REQUIRE(wait_until([&] { return read_text(dir / "out").find('\n') != std::string::npos; }, 20s));
  namespace fs = std::filesystem;
  CHECK(fs::status(dir / "tokenrelay-data").permissions() == fs::perms::owner_all);
  for (const auto& file : fs::directory_iterator(dir / "tokenrelay-data")) {
    INFO(file.path());
    CHECK((file.status().permissions() & (fs::perms::group_all | fs::perms::others_all)) == fs::perms::none);
  }
  CHECK((read_text(dir / "out") + read_text(dir / "err")).find("tokenrelay-data") != std::string::npos);
}

TEST_CASE("a second process on the same data exits 1 and names the first", "[run]") {
  Relay relay;
  const Ran second = run_relay({"serve", "--listen", "127.0.0.1:0", "--data", relay.data().string()});
  INFO(second.err);
  CHECK(second.status == 1);
  CHECK(second.err.find(std::to_string(relay.process().pid())) != std::string::npos);
  CHECK(second.out.find("listening") == std::string::npos);
  CHECK(relay.get("/healthz").status == 200);
  relay.kill_now();
  relay.start();  // the lock died with its owner
  CHECK(relay.get("/healthz").status == 200);
}

TEST_CASE("a port in use ends with 1, before anything is written", "[run]") {
  Relay relay;
  TempDir dir;
  const Ran second =
      run_relay({"serve", "--listen", "127.0.0.1:" + std::to_string(relay.port()), "--data", (dir / "d").string()});
  INFO(second.err);
  CHECK(second.status == 1);
  CHECK(second.out.find("listening") == std::string::npos);
  CHECK_FALSE(std::filesystem::exists(dir / "d"));
}

TEST_CASE("a shared directory is left as it is: the log goes below it", "[run]") {
  namespace fs = std::filesystem;
  TempDir dir;
  const auto shared = dir / "shared";
  fs::create_directory(shared);
  write_text(shared / "other", "x");
  fs::permissions(shared, fs::perms::all | fs::perms::sticky_bit);
  Process relay({.argv = {TOKENRELAY_BINARY, "serve", "--listen", "127.0.0.1:0", "--data", shared.string()},
                 .env = {},
                 .stdout_file = dir / "out",
                 .stderr_file = dir / "err",
                 .work_dir = dir.path(),
                 .descriptors = {}});
  REQUIRE(wait_until([&] { return read_text(dir / "out").find('\n') != std::string::npos; }, 20s));
  CHECK(fs::status(shared).permissions() == (fs::perms::all | fs::perms::sticky_bit));
  CHECK(fs::status(shared / "tokenrelay").permissions() == fs::perms::owner_all);
  CHECK(fs::exists(shared / "tokenrelay" / "log.db"));
  CHECK(wait_until(
      [&] { return read_text(dir / "err").find("the events are in " + shared.string()) != std::string::npos; }, 5s));
}
