// Which upstreams stand in for others, as the configuration says it.
#include <fstream>

#include "service/config/load.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

using namespace tokenrelay;

namespace {

struct Entry {
  std::string name;
  std::vector<std::string> models, fallback;
};

std::string list(const std::vector<std::string>& texts) {
  std::string out;
  for (const auto& text : texts) out += (out.empty() ? "\"" : ", \"") + text + "\"";
  return "[" + out + "]";
}

// Each entry takes six lines, `fallback` is its last.
ConfigResult load(const std::vector<Entry>& entries, const std::vector<std::string>& flags = {},
                  const std::string& top = "") {
  const support::TempDir directory;
  ConfigSources sources;
  sources.file = directory.path().string() + "/relay.toml";
  sources.upstreams = flags;
  std::ofstream file(sources.file);
  file << top;
  for (const auto& entry : entries) {
    file << "[[upstream]]\nkind = \"openai\"\nname = \"" << entry.name << "\"\nbase_url = \"http://a/v1\"\n";
    file << "models = " << list(entry.models) << "\n";
    file << "fallback = " << list(entry.fallback) << "\n";
  }
  file.close();
  return load_config(sources);
}

void check_refused(const ConfigResult& loaded, const std::string& part) {
  REQUIRE_FALSE(loaded);
  INFO(loaded.error().message);
  CHECK(loaded.error().message.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("fallbacks are names, and models if they are to be asked for another") {
  const auto loaded =
      load({{"a", {"gpt-5"}, {"b", "b=claude=x", "c=gemini"}}, {"b", {"claude"}, {"a"}}, {"c", {}, {}}});
  if (!loaded) FAIL(loaded.error().message);
  const auto& all = loaded->upstreams;
  REQUIRE(all[0].fallbacks.size() == 3);
  CHECK(all[0].fallbacks[0].upstream == "b");
  CHECK(all[0].fallbacks[0].model.empty());
  CHECK(all[0].fallbacks[1].upstream == "b");
  CHECK(all[0].fallbacks[1].model == "claude=x");
  CHECK(all[0].fallbacks[2].model == "gemini");
  REQUIRE(all[1].fallbacks.size() == 1);  // of each other: each is asked once
  CHECK_FALSE(all[0].only_fallback);
  CHECK_FALSE(all[1].only_fallback);
  CHECK(all[2].only_fallback);
}

TEST_CASE("a fallback that cannot be is refused, with its line") {
  check_refused(load({{"a", {"m"}, {"b"}}}), "relay.toml:6: upstream[0].fallback: no upstream has the name \"b\"");
  check_refused(load({{"a", {"m"}, {}}, {"b", {"n"}, {"a", "b"}}}),
                "relay.toml:12: upstream[1].fallback: \"b\" cannot fall back to itself");
  check_refused(load({{"a", {"m"}, {"a=other"}}}), "cannot fall back to itself");
  check_refused(load({{"a", {"m"}, {""}}}), "no upstream has the name \"\"");
  check_refused(load({{"a", {"m"}, {"b="}}, {"b", {}, {}}}),
                "relay.toml:6: upstream[0].fallback: the model name must have");
  check_refused(load({{"a", {"m"}, {"b=" + std::string(257, 'x')}}, {"b", {}, {}}}), "the model name must have");
  check_refused(load({{"a", {"m"}, std::vector<std::string>(17, "b")}, {"b", {}, {}}}), "at most 16");
}

TEST_CASE("who is only a fallback names no models; one that is not takes them all, if it is alone") {
  CHECK(load({{"a", {}, {"b", "c"}}, {"b", {}, {}}, {"c", {}, {"b"}}}));
  check_refused(load({{"a", {}, {"b"}}, {"b", {}, {}}, {"c", {}, {}}}), "upstream[0].models: is missing");
  check_refused(load({{"a", {}, {"b"}}, {"b", {}, {"a"}}}), "upstream[0].models: is missing");
  CHECK(load({{"a", {}, {"b"}}, {"b", {}, {}}}, {}, "default_model = \"x\"\n"));
  check_refused(load({{"a", {"m"}, {"b"}}, {"b", {}, {}}}, {}, "default_model = \"x\"\n"), "default_model");
}

TEST_CASE("a single flag stands alone, whatever its entry falls back to") {
  const auto loaded = load({{"a", {"m"}, {"b"}}, {"b", {"n"}, {}}}, {"openai=http://127.0.0.1:9/v1"});
  if (!loaded) FAIL(loaded.error().message);
  REQUIRE(loaded->upstreams.size() == 1);
  CHECK(loaded->upstreams[0].fallbacks.empty());
  const std::vector<std::string> two = {"openai=http://127.0.0.1:9/v1", "openai=http://127.0.0.1:8/v1"};
  const auto both = load({{"a", {"m"}, {"b"}}, {"b", {"n"}, {}}}, two);
  if (!both) FAIL(both.error().message);
  CHECK(both->upstreams[0].fallbacks.size() == 1);
}
