// What a person does while an answer runs: Ctrl-C, and lines typed.
#include <signal.h>
#include <unistd.h>

#include <cstdio>

#include "service/terminal/chat.h"
#include "tests/support/catch.h"
#include "tests/support/deadline.h"
#include "tests/terminal/fixture.h"

using namespace tokenrelay;

namespace {

// Interrupts this process once the answer is being read.
std::thread interrupter(ScriptedRelay& relay) {
  return std::thread([&relay] {
    support::wait_until([&] { return relay.reads > 0; }, std::chrono::seconds(10), std::chrono::milliseconds(1));
    kill(getpid(), SIGINT);
  });
}

}  // namespace

TEST_CASE("Ctrl-C tells the server, and leaves at once where there is no such command") {
  ScriptedRelay relay;
  relay.hold = true;
  relay.pieces = {resumed("start") + delta("1", "part")};
  std::thread interrupt = interrupter(relay);
  const Outcome outcome = chat(relay.url());
  interrupt.join();
  CHECK(outcome.status == 0);
  CHECK(relay.cancels == 1);
}

TEST_CASE("Ctrl-C waits for the stream's own end where the server cancels it") {
  ScriptedRelay relay;
  relay.hold = true;
  relay.pieces = {resumed("start") + delta("1", "part"),
                  resumed("exact") + event("2", "done", "{\"status\":\"cancelled\",\"finish_reason\":null}")};
  // The first reader sees its connection end; nothing is read again after a cancel.
  relay.on_cancel = [&](httplib::Response& response) {
    response.status = 200;
    response.set_content(
        R"({"status":"cancelled","upstream_closed_ms":0.25,"usage":{"input_tokens":3,"output_tokens":9,"source":"estimated"}})",
        "application/json");
    relay.hold = false;
  };
  std::thread interrupt = interrupter(relay);
  const Outcome outcome = chat(relay.url());
  interrupt.join();
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "part\n");
  CHECK(relay.cancels == 1);
  has(outcome.err,
      "the relay answers: cancelled, the model's connection closed in 0.25 ms; tokens: 3 in, 9 out (estimated)");
}

namespace {

// A pipe whose far end is a person at the keyboard.
struct Keyboard {
  int ends[2] = {-1, -1};
  Keyboard() { REQUIRE(pipe(ends) == 0); }
  ~Keyboard() {
    close(ends[0]);
    hang_up();
  }
  void type(const std::string& text) {
    CHECK(write(ends[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void hang_up() {
    if (ends[1] >= 0) close(ends[1]);
    ends[1] = -1;
  }
};

}  // namespace

TEST_CASE("a line typed while the answer runs steers it") {
  Keyboard keyboard;
  ScriptedRelay relay;
  relay.hold = true;
  relay.pieces = {
      resumed("start") + delta("2", "long"),
      resumed("exact") + event("3", "steer", R"({"content":"shorter\u0007"})") + delta("4", "short") + done};
  relay.on_steer = [&](httplib::Response&) { relay.hold = false; };
  keyboard.type("\n  \nshorter, \"please\"\r\nhalf a line");
  ChatOptions options;
  options.input_fd = keyboard.ends[0];
  const Outcome outcome = chat(relay.url(), options);
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "longshort\n");  // a pipe gets the stream's text and nothing else
  CHECK(relay.steers == 1);
  REQUIRE(relay.bodies.size() == 2);
  CHECK(relay.bodies[1] == R"({"content":"shorter, \"please\""})");
  has(outcome.err, "↪ steering: shorter\n");
}

TEST_CASE("a steer that is refused is told, and the answer goes on") {
  Keyboard keyboard;
  ScriptedRelay relay;
  relay.hold = true;
  relay.pieces = {resumed("start") + delta("2", "a"), resumed("exact") + delta("3", "b") + done};
  relay.on_steer = [&](httplib::Response& response) {
    response.status = 409;
    response.set_content(R"({"code":"steer_limit","detail":"no more"})", "application/problem+json");
    relay.hold = false;
  };
  keyboard.type("more\n");
  ChatOptions options;
  options.input_fd = keyboard.ends[0];
  const Outcome outcome = chat(relay.url(), options);
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "ab\n");
  CHECK(relay.steers == 1);
}

TEST_CASE("input that has ended, and input that is a file, is left alone") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + delta("2", "a") + done};
  ChatOptions options;
  SECTION("a pipe at its end") {
    Keyboard keyboard;
    keyboard.hang_up();
    options.input_fd = keyboard.ends[0];
    CHECK(chat(relay.url(), options).out == "a\n");
  }
  SECTION("a file: the rest of it belongs to whoever runs us") {
    std::FILE* file = std::tmpfile();
    REQUIRE(file != nullptr);
    std::fputs("next\n", file);
    std::rewind(file);
    options.input_fd = fileno(file);
    CHECK(chat(relay.url(), options).out == "a\n");
    CHECK(lseek(fileno(file), 0, SEEK_CUR) == 0);
    std::fclose(file);
  }
  SECTION("none") {
    CHECK(chat(relay.url(), options).out == "a\n");
  }
  CHECK(relay.steers == 0);
}
