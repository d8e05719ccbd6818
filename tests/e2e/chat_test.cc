// `tokenrelay chat`: prints tokens, comes back by itself, and Ctrl-C ends it.
#include <signal.h>

#include "tests/support/catch.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

struct Chat {
  TempDir dir;
  Process process;
  explicit Chat(uint16_t port, std::vector<std::string> more = {})
      : process([&] {
          ProcessOptions options{
              .argv = {TOKENRELAY_BINARY, "chat", "--server", "http://127.0.0.1:" + std::to_string(port)},
              .stdout_file = dir / "out",
              .stderr_file = dir / "err"};
          options.argv.insert(options.argv.end(), more.begin(), more.end());
          options.argv.push_back("tell me");
          return options;
        }()) {}
  std::string out() const { return read_text(dir / "out"); }
  std::string err() const { return read_text(dir / "err"); }
};

}  // namespace

TEST_CASE("chat prints the tokens as they come and ends with 0", "[chat]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("first ");
    if (call.wait_released()) call.text("second é"), call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  Chat chat(relay.port(), {"--model", "some-model"});
  REQUIRE(wait_until([&] { return chat.out().find("first ") != std::string::npos; }, 5s));
  CHECK(chat.process.running());
  model.release();
  CHECK(chat.process.wait(5s) == 0);
  CHECK(chat.out().find("first second é") != std::string::npos);
  CHECK(model.call(0).request.at("model") == "some-model");
  CHECK(model.call(0).request.at("messages").at(0).at("content") == "tell me");
}

TEST_CASE("chat survives kill -9 of the relay and says so", "[chat]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("before ");
    call.wait_closed(30s);
  });
  Relay relay({.upstream = model.upstream()});
  Chat chat(relay.port());
  REQUIRE(wait_until([&] { return chat.out().find("before ") != std::string::npos; }, 5s));
  relay.kill_now();
  relay.start();
  REQUIRE(chat.process.wait(30s));
  INFO(chat.out() << chat.err());
  CHECK(chat.out().find("before ") == chat.out().rfind("before "));  // not printed twice
  CHECK_FALSE(chat.err().empty());
  CHECK((chat.out() + chat.err()).find("interrupted") != std::string::npos);
}

TEST_CASE("Ctrl-C ends a chat", "[chat]") {
  ModelServer model([](ModelServer::Call& call) {
    call.text("x");
    call.wait_closed(30s);
  });
  Relay relay({.upstream = model.upstream()});
  Chat chat(relay.port());
  REQUIRE(wait_until([&] { return !chat.out().empty(); }, 5s));
  chat.process.signal(SIGINT);
  REQUIRE(chat.process.wait(5s));
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 5s));  // cancelled
}

TEST_CASE("a chat with a failed answer or no server ends with 1", "[chat]") {
  ModelServer model([](ModelServer::Call& call) { call.refuse(401, R"({"error":{"message":"no"}})"); });
  Relay relay({.upstream = model.upstream()});
  Chat failed(relay.port());
  CHECK(failed.process.wait(10s) == 1);
  CHECK_FALSE(failed.err().empty());
  Chat nowhere(unused_port());
  CHECK(nowhere.process.wait(60s) == 1);
}
