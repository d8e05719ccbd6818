#include "service/config/load.h"

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "service/config/keys.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace tokenrelay;

namespace {

struct Files {
  support::TempDir directory;
  int count = 0;

  std::string write(const std::string& text) {
    const std::string path = directory.path().string() + "/" + std::to_string(count++) + ".toml";
    std::ofstream(path) << text;
    return path;
  }
  ConfigResult load(const std::string& text) {
    ConfigSources sources;
    sources.file = write(text);
    return load_config(sources);
  }
  // The message, with the directory taken off: "0.toml:1: …".
  std::string error(const std::string& text) {
    const auto loaded = load(text);
    if (loaded) return "";
    std::string message = loaded.error().message;
    const size_t at = message.find(directory.path().string() + "/");
    if (at != std::string::npos) message.erase(at, directory.path().string().size() + 1);
    return message;
  }
};

bool says(const std::string& message, const std::string& start, const std::string& part = "") {
  INFO(message);
  const bool fits = message.rfind(start, 0) == 0 && message.find(part) != std::string::npos;
  CHECK(fits);
  return fits;
}

// A configuration, printed key by key, so that two can be compared.
std::string dump(Config config) {
  std::ostringstream out;
  for (const auto& key : config_keys()) {
    out << path_of(key.section, key.name) << "=";
    std::visit(
        [&](auto place) {
          if constexpr (std::is_same_v<std::remove_cvref_t<decltype(place(config))>, std::vector<std::string>>) {
            for (const auto& each : place(config)) out << each << ",";
          } else {
            out << place(config);
          }
        },
        key.member);
    out << "\n";
  }
  for (const auto& upstream : config.upstreams) out << upstream.name << " " << upstream.base_url << "\n";
  return out.str();
}

std::string read(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("no source gives the defaults") {
  const auto loaded = load_config({});
  REQUIRE(loaded);
  CHECK(dump(*loaded) == dump(Config{}));
}

TEST_CASE("the sample file is the table of keys, loads, and holds the defaults") {
  const std::string path = TOKENRELAY_SOURCE_DIR "/deploy/tokenrelay.toml";
  const bool same = read(path) == sample_config();
  INFO("write it anew: unit_config \"[.write-sample]\"");
  CHECK(same);
  ConfigSources sources;
  sources.file = path;
  const auto loaded = load_config(sources);
  if (!loaded) FAIL(loaded.error().message);
  CHECK(dump(*loaded) == dump(Config{}));
  const std::string text = sample_config();
  for (const auto& key : config_keys()) CHECK(text.find("\n" + std::string(key.name) + " = ") != std::string::npos);
  for (const auto& key : upstream_keys()) CHECK(text.find("\n# " + std::string(key.name) + " = ") != std::string::npos);
}

TEST_CASE("the sample's upstream works once it is commented in") {
  std::string text = sample_config(), active;
  const size_t start = text.find("# [[upstream]]");
  std::istringstream lines(text.substr(start));
  for (std::string line; std::getline(lines, line);) active += line.substr(2) + "\n";
  Files files;
  const auto loaded = files.load(active);
  if (!loaded) FAIL(loaded.error().message);
  REQUIRE(loaded->upstreams.size() == 1);
  CHECK(loaded->upstreams[0].base_url == "https://api.openai.com/v1");
  CHECK(loaded->upstreams[0].headers.size() == 1);
}

TEST_CASE("writes the sample anew", "[.write-sample]") {
  std::ofstream(TOKENRELAY_SOURCE_DIR "/deploy/tokenrelay.toml") << sample_config();
}

TEST_CASE("what happens when a client leaves is checked, surface by surface") {
  Files files;
  const auto good =
      files.load("[surfaces]\nui_on_disconnect = \"cancel_after_ms=0\"\nchat_on_disconnect = \"continue\"\n");
  REQUIRE(good);
  CHECK(good->surfaces.ui_on_disconnect == "cancel_after_ms=0");
  CHECK(good->surfaces.responses_on_disconnect == "cancel_after_ms=30000");
  for (const std::string wrong : {"", "never", "cancel_after_ms=", "cancel_after_ms=-1", "cancel_after_ms=1s",
                                  "cancel_after_ms=86400001", "Cancel"}) {
    const auto refused = files.load("[surfaces]\nresponses_on_disconnect = \"" + wrong + "\"\n");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message.find("surfaces.responses_on_disconnect") != std::string::npos);
  }
}

TEST_CASE("every number can be set from the file and from the environment") {
  Files files;
  // Their smallest value is below that of a limit that must fit into them.
  const std::set<std::string_view> enclosing = {"stream_bytes", "head_bytes", "line_bytes", "uncommitted_bytes"};
  for (const auto& key : config_keys()) {
    const bool number_key = key.member.index() >= 2 && key.member.index() <= 4;
    if (!number_key || enclosing.count(key.name)) continue;
    const std::string number = std::to_string(key.min == 0 ? 1 : key.min);
    ConfigSources sources;
    sources.environment[variable_of(key)] = number;
    const auto loaded = load_config(sources);
    INFO(variable_of(key));
    if (!loaded) FAIL(loaded.error().message);
    CHECK(dump(*loaded).find(path_of(key.section, key.name) + "=" + number + "\n") != std::string::npos);
    const std::string section = key.section.empty() ? "" : "[" + std::string(key.section) + "]\n";
    const auto from_file = files.load(section + std::string(key.name) + " = " + number + "\n");
    if (!from_file) FAIL(from_file.error().message);
    CHECK(dump(*from_file) == dump(*loaded));
  }
}

TEST_CASE("flags win over the environment, which wins over the file") {
  Files files;
  ConfigSources sources;
  sources.file = files.write("listen = \"127.0.0.1:1\"\ndata = \"file\"\ndrain_timeout_ms = 1\n");
  sources.environment = {{"TOKENRELAY_LISTEN", "127.0.0.1:2"}, {"TOKENRELAY_DATA", "env"}};
  sources.flags = {{"listen", "127.0.0.1:3"}};
  const auto loaded = load_config(sources);
  REQUIRE(loaded);
  CHECK(loaded->listen == "127.0.0.1:3");
  CHECK(loaded->data == "env");
  CHECK(loaded->drain_timeout_ms == 1);
}

TEST_CASE("what is wrong is named with its line and its key") {
  Files files;
  says(files.error("listen = \"127.0.0.1:0\"\nlisen = 1\n"), "0.toml:2: lisen: unknown key");
  says(files.error("[limits]\nsteer = 1\n"), "1.toml:2: limits.steer: unknown key");
  says(files.error("[limit]\nsteers = 1\n"), "2.toml:1: limit: unknown key");
  says(files.error("\n\nlisten = 8080\n"), "3.toml:3: listen: must be a string");
  says(files.error("[limits]\nsteers = \"16\"\n"), "4.toml:2: limits.steers: must be a whole number");
  says(files.error("[limits]\nsteers = 1.5\n"), "5.toml:2: limits.steers: must be a whole number");
  says(files.error("[limits]\nsteers = -1\n"), "6.toml:2: limits.steers: must be 0 to 10000");
  says(files.error("[storage]\ncommit_interval_us = 20001\n"),
       "7.toml:2: storage.commit_interval_us: must be 0 to 20000");
  says(files.error("[storage]\nsync = \"off\"\n"), "8.toml:2: storage.sync: must be one of full, normal");
  says(files.error("list = 1\n"), "9.toml:1: list: must be true or false");
  says(files.error("cors_origins = \"*\"\n"), "10.toml:1: cors_origins: must be a list");
  says(files.error("cors_origins = [1]\n"), "11.toml:1: cors_origins: must be a list");
  says(files.error("limits = 3\n"), "12.toml:1: limits: must be a section");
  says(files.error("listen = \n"), "13.toml:1: invalid TOML");
  says(files.error("listen = \"127.0.0.1:1\"\nlisten = \"127.0.0.1:2\"\n"), "14.toml:2: invalid TOML");
  says(files.error("[limits]\nhead_bytes = 1024\n"),
       "configuration: limits.line_bytes: must not be greater than limits.head_bytes");
  says(files.error("list = 1987-07-05\n"), "16.toml:1: list: must be true or false");
}

TEST_CASE("a file that is missing, a directory, or far too large") {
  Files files;
  ConfigSources sources;
  sources.file = "/nonexistent/relay.toml";
  auto loaded = load_config(sources);
  REQUIRE(!loaded);
  says(loaded.error().message, "/nonexistent/relay.toml: cannot be read", "No such file");
  sources.file = files.directory.path().string();
  loaded = load_config(sources);
  REQUIRE(!loaded);
  says(loaded.error().message, files.directory.path().string(), "directory");
  says(files.error(std::string(2 << 20, '#')), "0.toml: is larger than 1 MiB");
  says(files.error("x = " + std::string(100'000, '[')), "1.toml:1: invalid TOML");
}

TEST_CASE("the environment is checked like the file, and unknown variables are told") {
  ConfigSources sources;
  sources.environment = {{"TOKENRELAY_LIMITS_STEERS", "many"}};
  auto loaded = load_config(sources);
  REQUIRE(!loaded);
  says(loaded.error().message, "TOKENRELAY_LIMITS_STEERS: limits.steers: must be a whole number");
  sources.environment = {{"TOKENRELAY_LIST", "yes"}};
  loaded = load_config(sources);
  REQUIRE(!loaded);
  says(loaded.error().message, "TOKENRELAY_LIST: list: must be true or false");
  sources.environment = {{"TOKENRELAY_CORS_ORIGINS", "https://a.example, https://b.example"}};
  loaded = load_config(sources);
  REQUIRE(loaded);
  CHECK(loaded->cors_origins == std::vector<std::string>{"https://a.example", "https://b.example"});
  sources.environment = {{"TOKENRELAY_HOSTS", "localhost,127.0.0.1"},
                         {"TOKENRELAY_PUBLIC_ORIGINS", "https://relay.example"},
                         {"TOKENRELAY_ALLOW_UNAUTHENTICATED", "true"},
                         {"TOKENRELAY_LISTEN", "0.0.0.0:8080"}};
  loaded = load_config(sources);
  REQUIRE(loaded);
  CHECK(loaded->hosts == std::vector<std::string>{"localhost", "127.0.0.1"});
  CHECK(loaded->public_origins == std::vector<std::string>{"https://relay.example"});
  sources.environment.erase("TOKENRELAY_HOSTS");
  CHECK(!load_config(sources));

  CHECK(unknown_variables({{"TOKENRELAY_LISTN", ""},
                           {"TOKENRELAY_LISTEN", ""},
                           {"TOKENRELAY_SERVICE_HOST", ""},
                           {"TOKENRELAY_PORT_8080_TCP", ""},
                           {"TOKENRELAY_CONFIG", ""}}) == std::vector<std::string>{"TOKENRELAY_LISTN"});
}

TEST_CASE("listening beyond loopback has to be asked for") {
  Files files;
  for (const char* address : {"127.0.0.1:0", "127.1.2.3:80", "[::1]:8080", "localhost:8080"}) {
    INFO(address);
    CHECK(files.load("listen = \"" + std::string(address) + "\"\n"));
  }
  for (const char* address : {"0.0.0.0:80", "[::]:80", "10.0.0.1:80", "relay.example:80", "127.evil.example:80"}) {
    INFO(address);
    const auto loaded = files.load("listen = \"" + std::string(address) + "\"\n");
    REQUIRE(!loaded);
    CHECK(loaded.error().message.find("allow_unauthenticated") != std::string::npos);
    const std::string open = "allow_unauthenticated = true\nlisten = \"" + std::string(address) + "\"\n";
    const auto nameless = files.load(open);
    REQUIRE(!nameless);
    CHECK(nameless.error().message.find("set hosts to the names") != std::string::npos);
    CHECK(files.load(open + "hosts = [\"relay.example\"]\n"));
    CHECK(files.load(open + "hosts = [\"*\"]\n"));
    CHECK(files.load("allow_unauthenticated = true\nadmin_listen = \"" + std::string(address) + "\"\n"));
    CHECK(!files.load("admin_listen = \"" + std::string(address) + "\"\n"));
  }
  for (const char* address : {"", ":8080", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "::1:8080", "[::1]", "[x]:1",
                              "127.0.0.1:80x", "127.0.0.1:-1", "http://127.0.0.1:80", "a b:80"}) {
    INFO(address);
    CHECK(!files.load("listen = \"" + std::string(address) + "\"\n"));
  }
}

TEST_CASE("origins and proxies are checked") {
  Files files;
  CHECK(files.load("cors_origins = [\"*\"]"));
  CHECK(files.load("cors_origins = [\"https://a.example\", \"http://localhost:3000\"]"));
  for (const char* origin : {"a.example", "https://a.example/", "https://A.example", "https://", ""}) {
    INFO(origin);
    CHECK(!files.load("cors_origins = [\"" + std::string(origin) + "\"]"));
  }
  CHECK(files.load("hosts = [\"relay.example\", \"10.0.0.1\", \"fd00::1\", \"[fd00::1]\", \"*\"]"));
  for (const char* host : {"relay.example:80", "https://relay.example", "", "[fd00::1]:80", "*.example", "a b"}) {
    INFO(host);
    CHECK(!files.load("hosts = [\"" + std::string(host) + "\"]"));
  }
  CHECK(files.load("public_origins = [\"https://relay.example\", \"http://relay.example:8080\"]"));
  for (const char* origin : {"*", "relay.example", "https://relay.example/x", "evil://relay.example", "null"}) {
    INFO(origin);
    CHECK(!files.load("public_origins = [\"" + std::string(origin) + "\"]"));
  }
  CHECK(files.load("trusted_proxies = [\"127.0.0.1\", \"10.0.0.0/8\", \"fd00::/8\"]"));
  for (const char* network : {"10.0.0.0/33", "10.0.0", "proxy", "10.0.0.0/-1", "::/129"}) {
    INFO(network);
    CHECK(!files.load("trusted_proxies = [\"" + std::string(network) + "\"]"));
  }
}

TEST_CASE("a reload keeps what only a restart applies, and names it") {
  Config running, next;
  CHECK(keep_until_restart(running, next).empty());
  next.data = "/elsewhere";
  next.limits.connections = 7;
  next.storage.journal_flush_ms = 1234;
  next.storage.keep_requests = true;
  next.limits.live_streams = 9;
  next.storage.retention_ms = 99;
  const auto kept = keep_until_restart(running, next);
  CHECK(kept ==
        std::vector<std::string>{"data", "storage.keep_requests", "storage.journal_flush_ms", "limits.connections"});
  CHECK(next.data == running.data);
  CHECK(next.limits.connections == 0);
  CHECK(next.limits.live_streams == 9);
  CHECK(next.storage.retention_ms == 99);
}

TEST_CASE("the sample says of each key whether it needs a restart") {
  const std::string sample = sample_config();
  for (const auto& key : config_keys()) {
    const size_t line = sample.find("\n" + std::string(key.name) + " = ",
                                    key.section.empty() ? 0 : sample.find("[" + std::string(key.section) + "]"));
    REQUIRE(line != std::string::npos);
    const std::string comment = sample.substr(sample.rfind("\n#", line - 1), line - sample.rfind("\n#", line - 1));
    INFO(path_of(key.section, key.name));
    CHECK((comment.find("Takes effect at a restart.") != std::string::npos) == key.restart);
  }
}
