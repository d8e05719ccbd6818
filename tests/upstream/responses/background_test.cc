// Answers that outlive their connection: taken up where they were lost, cancelled when nobody wants them (DIALECTS.md,
// Responses: background).
#include "tests/upstream/responses/run.h"

using namespace tokenrelay;
using namespace std::chrono_literals;
using upstream::ErrorCode;
namespace script = support::script;

namespace {

struct BackgroundRun : ResponsesRun {
  BackgroundRun() { options.background = true; }

  bool run_until_calls(size_t count) {
    for (int round = 0; round < 500 && server.calls() < count; ++round) run_for(10);
    return server.calls() >= count;
  }
};

support::Script cut_after(const std::vector<std::string>& payloads, script::Step how = script::cut()) {
  return {script::send(script::head() + script::chunk(responses_sse(payloads))), script::pause(30), std::move(how)};
}

std::string line_of(const support::ModelServer::Seen& call) {
  return call.head.substr(0, call.head.find('\r'));
}

}  // namespace

TEST_CASE("an answer in the background is asked for as such and can be taken up by its id") {
  BackgroundRun run;
  run.server.answer(script::raw_stream(responses_sse({created(), text_delta("a", 1), completed(2)})));
  run.run();
  CHECK_FALSE(run.recorder.outcome->failure);
  CHECK(run.recorder.resumable == std::vector<std::string>{"resp_1"});
  const auto body = nlohmann::json::parse(run.server.call(0).body);
  CHECK(body["background"] == true);
  CHECK(body["store"] == true);
  CHECK(body["stream"] == true);
  run.run_for(50);
  CHECK(run.server.calls() == 1);  // nothing to cancel
}

TEST_CASE("an answer that must not be stored does not run in the background") {
  BackgroundRun run;
  run.server.answer(script::raw_stream(responses_sse({created(), completed(2)})));
  run.start({"m", "[]", R"({"store":false})", "r"});
  run.recorder.run_until_end();
  CHECK(run.recorder.resumable.empty());
  const auto body = nlohmann::json::parse(run.server.call(0).body);
  CHECK_FALSE(body.contains("background"));
  CHECK(body["store"] == false);
}

TEST_CASE("a lost connection is taken up after the last event, twice") {
  BackgroundRun run;
  run.server.answer(cut_after({created(), text_delta("one ", 1), text_delta("two ", 3)}));
  run.server.answer(cut_after({text_delta("three ", 4)}, script::close()));
  // A server that begins earlier than asked says nothing twice.
  run.server.answer(script::raw_stream(
      responses_sse({text_delta("two ", 3), text_delta("three ", 4), text_delta("four", 7), completed(8)})));
  run.run();
  CHECK_FALSE(run.recorder.outcome->failure);
  CHECK(run.recorder.text == "one two three four");
  CHECK(run.recorder.seams == std::vector<std::string>{"upstream_truncated", "upstream_truncated"});
  CHECK(run.recorder.outcome->usage.output_tokens == 5u);
  REQUIRE(run.server.calls() == 3);
  const auto taken_up = run.server.call(1);
  CHECK(line_of(taken_up) == "GET /v1/responses/resp_1?stream=true&starting_after=3 HTTP/1.1");
  CHECK(line_of(run.server.call(2)) == "GET /v1/responses/resp_1?stream=true&starting_after=4 HTTP/1.1");
  CHECK(taken_up.head.find("Authorization: Bearer sk-test-secret\r\n") != std::string::npos);
  CHECK(taken_up.head.find("Content-Type") == std::string::npos);
}

TEST_CASE("a character that the cut went through is whole") {
  BackgroundRun run;
  run.server.answer(cut_after({created(), text_delta("\\ud83d", 1)}));
  run.server.answer(script::raw_stream(responses_sse({text_delta("\\ude00", 2), completed(3)})));
  run.run();
  CHECK(run.recorder.text == "\xF0\x9F\x98\x80");
}

TEST_CASE("an upstream that is busy is asked again, one that has lost the answer is not") {
  BackgroundRun run;
  run.server.answer(cut_after({created(), text_delta("one ", 1)}));
  SECTION("busy") {
    run.server.answer(script::refusal(503, "{}", {{"retry-after-ms", "300"}}));
    run.server.answer(script::raw_stream(responses_sse({text_delta("two", 2), completed(3)})));
    run.run();
    CHECK_FALSE(run.recorder.outcome->failure);
    CHECK(run.recorder.text == "one two");
    REQUIRE(run.server.calls() == 3);
    CHECK(run.server.call(2).at - run.server.call(1).at >= 295ms);
  }
  SECTION("lost") {
    run.server.answer(script::refusal(404, R"({"error":{"message":"no such response"}})"));
    const auto failure = failure_of(run.run());
    CHECK(failure.code == ErrorCode::upstream_truncated);
    CHECK(failure.message.find("no such response") != std::string::npos);
    CHECK(run.recorder.text == "one ");
    run.run_for(50);
    CHECK(run.server.calls() == 2);  // nothing is left to cancel
  }
}

TEST_CASE("an outage without end is a failure after five tries, and the answer is cancelled") {
  BackgroundRun run;
  run.server.answer(cut_after({created(), text_delta("one ", 1)}));
  run.server.answer(cut_after({text_delta("one ", 1)}));
  const auto failure = failure_of(run.run());
  CHECK(failure.code == ErrorCode::upstream_truncated);
  CHECK(run.recorder.text == "one ");
  CHECK(run.recorder.seams.empty());
  CHECK(run.recorder.elapsed_ms() > 6'000);
  REQUIRE(run.run_until_calls(7));
  REQUIRE(run.server.calls() == 7);
  CHECK(line_of(run.server.call(6)) == "POST /v1/responses/resp_1/cancel HTTP/1.1");
}

TEST_CASE("a call that is destroyed closes its connection and cancels the answer") {
  BackgroundRun run;
  run.server.answer(
      {script::send(script::head() + script::chunk(responses_sse({created(), text_delta("a", 1)}))), script::stall()});
  run.server.answer(script::refusal(200, "{}"));
  run.start();
  run.recorder.on_delta = [&] { run.loop.stop(); };
  run.loop.run();
  run.recorder.call.reset();
  REQUIRE(run.run_until_calls(2));
  CHECK(run.server.wait_closed(0, 1s));
  const auto cancel = run.server.call(1);
  CHECK(line_of(cancel) == "POST /v1/responses/resp_1/cancel HTTP/1.1");
  CHECK(cancel.body.empty());
  CHECK(cancel.head.find("Content-Type") == std::string::npos);
  CHECK(cancel.head.find("Authorization: Bearer sk-test-secret\r\n") != std::string::npos);
}

TEST_CASE("an answer that is kept for another process is not cancelled") {
  BackgroundRun run;
  run.server.answer(
      {script::send(script::head() + script::chunk(responses_sse({created(), text_delta("a", 1)}))), script::stall()});
  run.start();
  run.recorder.on_delta = [&] { run.loop.stop(); };
  run.loop.run();
  run.recorder.call->keep_answer();
  run.recorder.call.reset();
  CHECK(run.server.wait_closed(0, 1s));
  run.run_for(100);
  CHECK(run.server.calls() == 1);
}

TEST_CASE("an answer that another process began is taken up from its beginning") {
  BackgroundRun run;
  run.server.answer(cut_after({created(), text_delta("one ", 1)}));
  run.server.answer(script::raw_stream(responses_sse({text_delta("two", 2), completed(3)})));
  run.recorder.call = run.model().take_up("resp_1", "r", run.recorder);
  run.recorder.run_until_end();
  CHECK_FALSE(run.recorder.outcome->failure);
  CHECK(run.recorder.text == "one two");
  CHECK(run.recorder.resumable.empty());
  REQUIRE(run.server.calls() == 2);
  CHECK(line_of(run.server.call(0)) == "GET /v1/responses/resp_1?stream=true HTTP/1.1");
  CHECK(line_of(run.server.call(1)) == "GET /v1/responses/resp_1?stream=true&starting_after=1 HTTP/1.1");
  CHECK(run.model().take_up("../evil", "r", run.recorder) == nullptr);
}

TEST_CASE("without the background mode a cut is a truncation") {
  ResponsesRun run;
  run.server.answer(cut_after({created(), text_delta("one ", 1)}));
  CHECK(failure_of(run.run()).code == ErrorCode::upstream_truncated);
  run.run_for(50);
  CHECK(run.server.calls() == 1);
}
