#include <fstream>
#include <map>

#include "service/config/load.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace tokenrelay;

namespace {

ConfigResult load(const std::string& text, const std::vector<std::string>& flags = {}) {
  const support::TempDir directory;
  ConfigSources sources;
  sources.file = directory.path().string() + "/relay.toml";
  sources.upstreams = flags;
  std::ofstream(sources.file) << text;
  return load_config(sources);
}

std::string error(const std::string& text, const std::vector<std::string>& flags = {}) {
  const auto loaded = load(text, flags);
  if (loaded) return "";
  const size_t at = loaded.error().message.find("relay.toml:");
  return at == std::string::npos ? loaded.error().message : loaded.error().message.substr(at);
}

void check_says(const std::string& message, const std::string& part) {
  INFO(message);
  CHECK(message.find(part) != std::string::npos);
}

const char* const two_upstreams = R"(
[[upstream]]
kind = "openai"
base_url = "http://one.example/v1/"
models = ["gpt-*"]
max_concurrent = 7
[[upstream]]
name = "local"
kind = "openai"
base_url = "http://127.0.0.1:11434/v1"
api_key_env = "LOCAL_KEY"
models = ["llama3"]
headers = { "X-Team" = "chat" }
)";

}  // namespace

TEST_CASE("upstreams are read, and their defaults follow the kind") {
  const auto loaded = load(two_upstreams);
  if (!loaded) FAIL(loaded.error().message);
  REQUIRE(loaded->upstreams.size() == 2);
  CHECK(loaded->upstreams[0].name == "openai");
  CHECK(loaded->upstreams[0].base_url == "http://one.example/v1");
  CHECK(loaded->upstreams[0].api_key_env == "OPENAI_API_KEY");
  CHECK(loaded->upstreams[0].max_concurrent == 7);
  CHECK(loaded->upstreams[1].name == "local");
  CHECK(loaded->upstreams[1].api_key_env == "LOCAL_KEY");
  CHECK(loaded->upstreams[1].headers == std::vector<std::pair<std::string, std::string>>{{"X-Team", "chat"}});
}

TEST_CASE("each kind has its own key, and one without an address says what its own looks like") {
  const std::map<std::string, std::pair<std::string, std::string>> kinds = {
      {"openai", {"OPENAI_API_KEY", "a URL that ends in /v1"}},
      {"openai-responses", {"OPENAI_API_KEY", "a URL that ends in /v1"}},
      {"anthropic", {"ANTHROPIC_API_KEY", "https://api.anthropic.com"}},
      {"gemini", {"GEMINI_API_KEY", "https://generativelanguage.googleapis.com"}}};
  for (const auto& [kind, expected] : kinds) {
    INFO(kind);
    const auto loaded = load("", {kind + "=http://127.0.0.1:1"});
    REQUIRE(loaded);
    CHECK(loaded->upstreams[0].kind == kind);
    CHECK(loaded->upstreams[0].name == kind);
    CHECK(loaded->upstreams[0].api_key_env == expected.first);
    check_says(error("", {kind}), "--upstream: upstream[0].base_url: is missing: for " + kind + " give ");
    check_says(error("", {kind}), expected.second);
  }
  const auto background = load("[[upstream]]\nkind=\"openai-responses\"\nbase_url=\"http://a/v1\"\nbackground=true\n");
  REQUIRE(background);
  CHECK(background->upstreams[0].background);
}

TEST_CASE("a kind that does not exist is refused") {
  check_says(error("", {"openia=http://127.0.0.1:1/v1"}), "--upstream: upstream[0].kind: must be openai, ");
  check_says(error("[[upstream]]\nbase_url = \"http://a/v1\"\n"), "relay.toml:1: upstream[0]: kind is missing");
}

TEST_CASE("what is missing stands where its upstream does") {
  check_says(error("list = true\n\n[[upstream]]\nname = \"a\"\nkind = \"openai\"\n"),
             "relay.toml:3: upstream[0].base_url: is missing");
  check_says(error("[[upstream]]\nkind=\"demo\"\nmodels=[\"a\"]\n[[upstream]]\nname=\"b\"\nkind=\"demo\"\n"),
             "relay.toml:4: upstream[1].models: is missing");
  check_says(error("[[upstream]]\nkind=\"demo\"\nmodels=[\"a\"]\n[[upstream]]\nkind=\"demo\"\nmodels=[\"b\"]\n"),
             "relay.toml:4: upstream[1].name: two upstreams have the name \"demo\"");
}

TEST_CASE("background is for the one kind that can") {
  check_says(error("[[upstream]]\nkind = \"openai\"\nbase_url = \"http://a/v1\"\nbackground = true\n"),
             "relay.toml:4: upstream[0].background: is only supported with kind = \"openai-responses\"");
  check_says(error("[[upstream]]\nkind = \"demo\"\nbackground = 1\n"), "relay.toml:3: upstream[0].background: must be");
  CHECK(error("[[upstream]]\nkind = \"demo\"\nbackground = false\n").empty());
}

TEST_CASE("an address is an http URL without secrets, and the message does not repeat it") {
  for (const std::string url :
       {"", "one.example/v1", "ftp://one.example", "http://", "http://u:s3cret@one.example/v1",
        "http://one.example/v1?key=s3cret", "http://one.example:99999/v1", "http://one .example/v1"}) {
    INFO(url);
    const std::string message = error("[[upstream]]\nkind = \"openai\"\nbase_url = \"" + url + "\"\n");
    check_says(message, "relay.toml:3: upstream[0].base_url: ");
    CHECK(message.find("s3cret") == std::string::npos);
  }
  CHECK(load("", {"openai=https://[::1]:8443/v1"}));
}

TEST_CASE("a key never stands in the file") {
  const std::string start = "[[upstream]]\nkind = \"openai\"\nbase_url = \"http://a/v1\"\n";
  for (const std::string line :
       {"api_key = \"sk-s3cret\"", "api_key_env = \"sk-s3cret\"", "headers = { Authorization = \"Bearer s3cret\" }",
        "headers = { \"X-Api-Key\" = \"s3cret\" }"}) {
    const std::string message = error(start + line + "\n");
    check_says(message, "relay.toml:4: upstream[0].");
    CHECK(message.find("s3cret") == std::string::npos);
  }
  check_says(error(start + "api_key = \"x\"\n"), "keys are read from the environment");
}

TEST_CASE("headers that cannot be sent are refused") {
  const std::string start = "[[upstream]]\nkind = \"openai\"\nbase_url = \"http://a/v1\"\nheaders = ";
  CHECK(!error(start + "{ \"X Y\" = \"a\" }").empty());
  CHECK(!error(start + "{ \"X\" = \"a\\r\\nB: c\" }").empty());
  CHECK(!error(start + "{ Host = \"a\" }").empty());
  CHECK(!error(start + "{ X = 1 }").empty());
  CHECK(!error(start + "3").empty());
}

TEST_CASE("several upstreams each say which models are theirs") {
  check_says(error("", {"demo", "openai=http://127.0.0.1:1/v1"}), "--upstream: upstream[0].models: is missing");
  check_says(error("[[upstream]]\nkind=\"demo\"\nmodels=[\"a\"]\n[[upstream]]\nkind=\"openai\"\nbase_url=\"http://a/"
                   "v1\"\nmodels=[\"a\"]\n"),
             "relay.toml:7: upstream[1].models: the model \"a\" is listed twice");
  check_says(error("[[upstream]]\nkind=\"demo\"\nmodels=[\"a\"]\n[[upstream]]\nkind=\"demo\"\nmodels=[\"b\"]\n"),
             "have the name \"demo\"");
  check_says(error("default_model = \"x\"\n[[upstream]]\nkind=\"demo\"\nmodels=[\"a\", \"b*\"]\n"),
             "relay.toml:1: default_model");
  CHECK(error("default_model = \"bb\"\n[[upstream]]\nkind=\"demo\"\nmodels=[\"a\", \"b*\"]\n").empty());
}

TEST_CASE("one flag takes every model; several take their models from the file") {
  const auto one = load(two_upstreams, {"openai=http://127.0.0.1:9/v1"});
  REQUIRE(one);
  REQUIRE(one->upstreams.size() == 1);
  CHECK(one->upstreams[0].base_url == "http://127.0.0.1:9/v1");
  CHECK(one->upstreams[0].models.empty());
  CHECK(one->upstreams[0].max_concurrent == 7);

  const auto two = load(two_upstreams, {"openai=http://127.0.0.1:9/v1", "openai=http://127.0.0.1:8/v1"});
  if (!two) FAIL(two.error().message);
  REQUIRE(two->upstreams.size() == 2);
  CHECK(two->upstreams[0].models == std::vector<std::string>{"gpt-*"});
  CHECK(two->upstreams[1].base_url == "http://127.0.0.1:8/v1");
  CHECK(two->upstreams[1].name == "local");
}

TEST_CASE("what is wrong with an entry that a flag takes is said with the entry's line") {
  const std::string file =
      "[[upstream]]\nkind = \"demo\"\nname = \"fine\"\n[[upstream]]\nkind = \"openai\"\nname = \"not fine\"\n";
  check_says(error(file, {"openai=http://127.0.0.1:9/v1"}), "relay.toml:6: upstream[0].name: ");
  check_says(error("[[upstream]]\nkind = \"openai\"\nbase_url = \"http://a/v1\"\n", {"openai="}),
             "--upstream: upstream[0].base_url: is missing");
}

TEST_CASE("the demo model needs no address") {
  for (const std::string flag : {"demo", "demo="}) {
    const auto loaded = load("", {flag});
    REQUIRE(loaded);
    CHECK(loaded->upstreams[0].kind == "demo");
  }
  CHECK(!load("", {"demo=http://a/"}));
  CHECK(!load("", {"openai"}));
}

TEST_CASE("an upstream from the environment") {
  ConfigSources sources;
  sources.environment = {{"TOKENRELAY_UPSTREAM", "openai=http://127.0.0.1:9/v1"}};
  auto loaded = load_config(sources);
  REQUIRE(loaded);
  CHECK(loaded->upstreams[0].base_url == "http://127.0.0.1:9/v1");
  sources.upstreams = {"demo"};
  loaded = load_config(sources);
  REQUIRE(loaded);
  CHECK(loaded->upstreams[0].kind == "demo");
}
