#include "service/command_line.h"

#include <iostream>
#include <sstream>
#include <vector>

#include "tests/support/catch.h"

using namespace tokenrelay;

namespace {

struct Parsed {
  Command command;
  std::string out, err;
};

Parsed parse(std::vector<std::string> words) {
  words.insert(words.begin(), "tokenrelay");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  std::ostringstream out, err;
  auto* const old_out = std::cout.rdbuf(out.rdbuf());
  auto* const old_err = std::cerr.rdbuf(err.rdbuf());
  Command command = parse_command_line(static_cast<int>(argv.size()), argv.data());
  std::cout.rdbuf(old_out);
  std::cerr.rdbuf(old_err);
  return {std::move(command), out.str(), err.str()};
}

int status(const Parsed& parsed) {
  return std::get<Answered>(parsed.command).status;
}

}  // namespace

TEST_CASE("serve: what is given is a source, what is not stays open for the file") {
  const Parsed bare = parse({"serve"});
  CHECK(std::get<Serve>(bare.command).sources.flags.empty());
  const Parsed full = parse({"serve", "--config", "a.toml", "--listen", "127.0.0.1:0", "--data", "d", "--upstream",
                             "demo", "--upstream=openai=http://127.0.0.1:1/v1", "--log-level", "debug"});
  const ConfigSources& sources = std::get<Serve>(full.command).sources;
  CHECK(sources.file == "a.toml");
  CHECK(sources.flags ==
        std::map<std::string, std::string>{{"listen", "127.0.0.1:0"}, {"data", "d"}, {"log.level", "debug"}});
  CHECK(sources.upstreams == std::vector<std::string>{"demo", "openai=http://127.0.0.1:1/v1"});
}

TEST_CASE("chat") {
  const Parsed parsed = parse({"chat", "--server", "http://127.0.0.1:9", "--model", "m", "hello there"});
  const ChatOptions& chat = std::get<ChatOptions>(parsed.command);
  CHECK(chat.server == "http://127.0.0.1:9");
  CHECK(chat.model == "m");
  CHECK(chat.prompt == "hello there");
}

TEST_CASE("what is asked for and answered at once") {
  const Parsed version = parse({"--version"});
  CHECK(version.out == "tokenrelay 0.1.0\n");
  CHECK(status(version) == 0);
  const Parsed help = parse({"serve", "--help"});
  CHECK(status(help) == 0);
  CHECK(help.out.find("--upstream") != std::string::npos);
}

TEST_CASE("usage errors are 2, on standard error") {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"sreve"},
                                                       {"serve", "--lisen", "x"},
                                                       {"serve", "extra"},
                                                       {"serve", "--listen"},
                                                       {"chat"},
                                                       {"chat", ""},
                                                       {"chat", "--server", "localhost", "hi"},
                                                       {"chat", "two", "words"},
                                                       {"check-config"}};
  for (const auto& words : wrong) {
    const Parsed parsed = parse(words);
    INFO((words.empty() ? "nothing" : words.back()));
    CHECK(status(parsed) == 2);
    CHECK(parsed.out.empty());
    CHECK(!parsed.err.empty());
  }
}

TEST_CASE("check-config names the file, or what is wrong with it") {
  std::ostringstream err;
  auto* const old_err = std::cerr.rdbuf(err.rdbuf());
  const int missing = check_config({"/nonexistent.toml"});
  std::cerr.rdbuf(old_err);
  CHECK(missing == 2);
  CHECK(err.str().find("/nonexistent.toml: cannot be read") == 0);
  std::ostringstream out;
  auto* const old_out = std::cout.rdbuf(out.rdbuf());
  const int sample = check_config({TOKENRELAY_SOURCE_DIR "/deploy/tokenrelay.toml"});
  std::cout.rdbuf(old_out);
  CHECK(sample == 0);
}
