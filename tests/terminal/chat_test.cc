#include "service/terminal/chat.h"

#include "tests/support/catch.h"
#include "tests/terminal/fixture.h"

using namespace tokenrelay;

TEST_CASE("an answer is printed as it comes") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + event("1", "start", "{}") + delta("2", "Hel") + ": hb\n" +
                  event("3", "reasoning", "{\"delta\":\"hm\"}") + delta("4", "lo") + done};
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "Hello\n");
  CHECK(outcome.err == "");
  CHECK(relay.bodies[0] == "{\"prompt\":\"hi \\\"there\\\"\"}");
  CHECK(relay.keys[0].size() > 20);
}

TEST_CASE("model, reasoning and ids are shown when asked for") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + event("3", "reasoning", "{\"delta\":\"hm\"}") + delta("4", "lo") + done};
  ChatOptions options;
  options.model = "demo";
  options.show_reasoning = options.show_ids = true;
  const Outcome outcome = chat(relay.url(), options);
  CHECK(outcome.out == "lo\n");
  has(outcome.err, "hm");
  has(outcome.err, "r-4\n");
  has(relay.bodies[0], "\"model\":\"demo\"");
}

TEST_CASE("a lost connection is resumed where it was, as often as it takes") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + delta("2", "a") + delta("3", "b") + "id: r-4\ndata: {\"delta\":\"",
                  resumed("exact"), resumed("exact") + delta("4", "c"), resumed("exact") + delta("5", "d") + done};
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "abcd\n");
  CHECK(relay.cursors == std::vector<std::string>{"", "r-3", "r-3", "r-4"});
  has(outcome.err, "connection lost, resuming after r-3");
  CHECK(relay.creates == 1);
}

TEST_CASE("a reset starts the answer over, and says so") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + delta("2", "old"), resumed("reset") + delta("2", "new") + done};
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.out == "old\nnew\n");
  has(outcome.err, "starts over");
}

TEST_CASE("how a stream ends is the exit status") {
  for (const std::string status : {"failed", "interrupted", "cancelled"}) {
    ScriptedRelay relay;
    relay.pieces = {resumed("start") + delta("1", "x") +
                    event("2", "done",
                          "{\"status\":\"" + status +
                              "\",\"error\":{\"code\":\"upstream_truncated\",\"message\":\"it \\u001b[2Jended\"}}")};
    const Outcome outcome = chat(relay.url());
    INFO(status);
    CHECK(outcome.status == (status == "cancelled" ? 0 : 1));
    has(outcome.err, status);
    has(outcome.err, "upstream_truncated: it [2Jended");
  }
}

TEST_CASE("a tool call is shown once, with its arguments in one piece") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") +
                  event("1", "tool_call", R"({"index":0,"id":"c","name":"weather","arguments_delta":"{\"city\":"})") +
                  event("2", "tool_call", R"({"index":0,"id":"c","name":"weather","arguments_delta":"1}"})") +
                  event("3", "tool_call", R"({"index":1,"id":"d","name":"time","arguments_delta":"{}"})") + done};
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.err ==
        "tokenrelay: the model calls weather with:\n{\"city\":1}\ntokenrelay: the model calls time with:\n{}\n");
  CHECK(outcome.out == "");
}

TEST_CASE("a terminal gets no control characters, a pipe gets the exact text") {
  const std::string data = "{\"delta\":\"a\\u001b[31mb\\u009bc\\td\\u0007\\u00e9\\n\"}";
  for (const bool terminal : {true, false}) {
    ScriptedRelay relay;
    relay.pieces = {resumed("start") + event("1", "", data) + done};
    ChatOptions options;
    options.terminal = terminal;
    CHECK(chat(relay.url(), options).out == (terminal ? "a[31mbc\td\xC3\xA9\n"
                                                      : "a\x1b[31mb\xC2\x9B"
                                                        "c\td\x07\xC3\xA9\n"));
  }
}

TEST_CASE("a refusal is told in the server's words") {
  ScriptedRelay relay;
  relay.on_create = [](int, httplib::Response& response) {
    response.status = 404;
    response.set_content("{\"status\":404,\"code\":\"unknown_model\",\"detail\":\"no model x\",\"request_id\":\"q1\"}",
                         "application/problem+json");
  };
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.status == 1);
  CHECK(outcome.out == "");
  has(outcome.err, "404 unknown_model: no model x (request q1)");
  CHECK(relay.creates == 1);
}

TEST_CASE("a busy relay is asked again with the same key") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + delta("1", "x") + done};
  relay.on_create = [](int number, httplib::Response& response) {
    if (number > 0) return;
    response.status = 503;
    response.set_header("Retry-After", "1");
    response.set_content("{\"code\":\"overloaded\",\"detail\":\"too many streams\"}", "application/problem+json");
  };
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "x\n");
  REQUIRE(relay.keys.size() == 2);
  CHECK(relay.keys[0] == relay.keys[1]);
}

TEST_CASE("nobody there") {
  std::string url;
  {
    const ScriptedRelay gone;
    url = gone.url();
  }
  const Outcome outcome = chat(url);
  CHECK(outcome.status == 1);
  has(outcome.err, "cannot reach " + url);
}

TEST_CASE("a server that stays away is given up, in time") {
  ScriptedRelay relay;
  ChatOptions options;
  options.give_up_ms = 500;
  const Outcome outcome = chat(relay.url(), options);
  CHECK(outcome.status == 1);
  has(outcome.err, "giving up; the answer is kept as stream strm_1");
}

TEST_CASE("an id that is no id is not put into a path") {
  ScriptedRelay relay;
  relay.on_create = [](int, httplib::Response& response) {
    response.set_content("{\"id\":\"../admin?x\"}", "application/json");
  };
  CHECK(chat(relay.url()).status == 1);
  CHECK(relay.reads == 0);
}

TEST_CASE("what is not JSON, or not the JSON expected, stops nothing") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + "data: {\n\n" + "data: []\n\n" + "data: {\"delta\":3}\n\n" + delta("4", "ok") +
                  done};
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "ok\n");
}
