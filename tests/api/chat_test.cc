#include "service/chat.h"

#include <httplib.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

#include "tests/support/catch.h"

using namespace tokenrelay;

namespace {

// A relay with a script: the n-th GET of events answers with the n-th piece and is then cut, unless it holds `done`.
struct ScriptedRelay {
  httplib::Server server;
  std::thread thread;
  std::vector<std::string> pieces;
  std::mutex mutex;
  std::vector<std::string> cursors, keys, bodies;
  std::atomic<int> reads{0}, creates{0}, cancels{0}, steers{0};
  std::atomic<bool> hold{false};  // a piece without `done` stays open
  std::function<void(int, httplib::Response&)> on_create;
  std::function<void(httplib::Response&)> on_cancel, on_steer;
  int port = 0;

  ScriptedRelay() {
    server.Post("/v1/streams",
                [this](const httplib::Request& request, httplib::Response& response) { create(request, response); });
    server.Get("/v1/streams/strm_1/events",
               [this](const httplib::Request& request, httplib::Response& response) { events(request, response); });
    server.Post("/v1/streams/strm_1/cancel", [this](const httplib::Request&, httplib::Response& response) {
      ++cancels;
      response.status = 404;
      if (on_cancel) on_cancel(response);
    });
    server.Post("/v1/streams/strm_1/steer", [this](const httplib::Request& request, httplib::Response& response) {
      {
        std::lock_guard lock(mutex);
        bodies.push_back(request.body);
      }
      response.status = 202;
      response.set_content("{\"event_id\":\"r-3\"}", "application/json");
      if (on_steer) on_steer(response);
      ++steers;
    });
    port = server.bind_to_any_port("127.0.0.1");
    thread = std::thread([this] { server.listen_after_bind(); });
    while (!server.is_running()) std::this_thread::yield();
  }

  ~ScriptedRelay() {
    hold = false;
    server.stop();
    thread.join();
  }

  void create(const httplib::Request& request, httplib::Response& response) {
    {
      std::lock_guard lock(mutex);
      keys.push_back(request.get_header_value("Idempotency-Key"));
      bodies.push_back(request.body);
    }
    response.status = 201;
    response.set_content("{\"id\":\"strm_1\",\"status\":\"queued\"}", "application/json");
    if (on_create) on_create(creates, response);
    ++creates;
  }

  void events(const httplib::Request& request, httplib::Response& response) {
    const size_t number = static_cast<size_t>(reads++);
    {
      std::lock_guard lock(mutex);
      cursors.push_back(request.get_header_value("Last-Event-ID"));
    }
    const std::string piece = number < pieces.size() ? pieces[number] : "";
    const bool whole = piece.find("event: done") != std::string::npos;
    response.set_chunked_content_provider("text/event-stream",
                                          [this, piece, whole](size_t offset, httplib::DataSink& sink) {
                                            if (offset == 0 && !piece.empty())
                                              return sink.write(piece.data(), piece.size());
                                            while (hold && !whole && sink.is_writable())
                                              std::this_thread::sleep_for(std::chrono::milliseconds(5));
                                            if (!whole) return false;  // ends the connection without the last chunk
                                            sink.done();
                                            return true;
                                          });
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(port); }
};

struct Outcome {
  int status;
  std::string out, err;
};

Outcome chat(const std::string& server, ChatOptions options = {}) {
  options.server = server;
  if (options.prompt.empty()) options.prompt = "hi \"there\"";
  std::ostringstream out, err;
  const int status = run_chat(options, out, err);
  return {status, out.str(), err.str()};
}

std::string event(const std::string& id, const std::string& type, const std::string& data) {
  return "id: r-" + id + "\n" + (type.empty() ? "" : "event: " + type + "\n") + "data: " + data + "\n\n";
}
std::string delta(const std::string& id, const std::string& text) {
  return event(id, "", "{\"delta\":\"" + text + "\"}");
}
std::string resumed(const std::string& verdict) {
  return "retry: 10\nevent: resumed\ndata: {\"stream\":\"strm_1\",\"verdict\":\"" + verdict +
         "\",\"status\":\"streaming\"}\n\n";
}
const std::string kDone = event("9", "done", "{\"status\":\"completed\",\"finish_reason\":\"stop\"}");

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  const bool there = text.find(part) != std::string::npos;
  CHECK(there);
  return there;
}

}  // namespace

TEST_CASE("an answer is printed as it comes") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + event("1", "start", "{}") + delta("2", "Hel") + ": hb\n" +
                  event("3", "reasoning", "{\"delta\":\"hm\"}") + delta("4", "lo") + kDone};
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "Hello\n");
  CHECK(outcome.err == "");
  CHECK(relay.bodies[0] == "{\"prompt\":\"hi \\\"there\\\"\"}");
  CHECK(relay.keys[0].size() > 20);
}

TEST_CASE("model, reasoning and ids are shown when asked for") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + event("3", "reasoning", "{\"delta\":\"hm\"}") + delta("4", "lo") + kDone};
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
                  resumed("exact"), resumed("exact") + delta("4", "c"), resumed("exact") + delta("5", "d") + kDone};
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "abcd\n");
  CHECK(relay.cursors == std::vector<std::string>{"", "r-3", "r-3", "r-4"});
  has(outcome.err, "connection lost, resuming after r-3");
  CHECK(relay.creates == 1);
}

TEST_CASE("a reset starts the answer over, and says so") {
  ScriptedRelay relay;
  relay.pieces = {resumed("start") + delta("2", "old"), resumed("reset") + delta("2", "new") + kDone};
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
                  event("3", "tool_call", R"({"index":1,"id":"d","name":"time","arguments_delta":"{}"})") + kDone};
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.err ==
        "tokenrelay: the model calls weather with:\n{\"city\":1}\ntokenrelay: the model calls time with:\n{}\n");
  CHECK(outcome.out == "");
}

TEST_CASE("a terminal gets no control characters, a pipe gets the exact text") {
  const std::string data = "{\"delta\":\"a\\u001b[31mb\\u009bc\\td\\u0007\\u00e9\\n\"}";
  for (const bool terminal : {true, false}) {
    ScriptedRelay relay;
    relay.pieces = {resumed("start") + event("1", "", data) + kDone};
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
  relay.pieces = {resumed("start") + delta("1", "x") + kDone};
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
                  kDone};
  const Outcome outcome = chat(relay.url());
  CHECK(outcome.status == 0);
  CHECK(outcome.out == "ok\n");
}

namespace {

// Interrupts this process once the answer is being read.
std::thread interrupter(ScriptedRelay& relay) {
  return std::thread([&relay] {
    while (relay.reads == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
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
      resumed("exact") + event("3", "steer", R"({"content":"shorter\u0007"})") + delta("4", "short") + kDone};
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
  relay.pieces = {resumed("start") + delta("2", "a"), resumed("exact") + delta("3", "b") + kDone};
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
  relay.pieces = {resumed("start") + delta("2", "a") + kDone};
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
