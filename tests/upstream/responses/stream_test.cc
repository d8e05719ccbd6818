// What Responses servers say, one peculiarity at a time (DIALECTS.md, Responses).
#include "tests/upstream/responses/run.h"

using namespace tokenrelay;
using nlohmann::json;
using upstream::ErrorCode;
using upstream::FinishReason;
namespace script = support::script;

namespace {

std::string item(const std::string& name, const std::string& object, int index = 0) {
  return R"({"type":"response.output_item.)" + name + R"(","output_index":)" + std::to_string(index) + R"(,"item":)" +
         object + "}";
}

std::string event(const std::string& type, const std::string& members) {
  return R"({"type":"response.)" + type + R"(","output_index":0,)" + members + "}";
}

const std::string message = R"({"type":"message","id":"m","content":[{"type":"output_text","text":"whole"}]})";

}  // namespace

TEST_CASE("a text is said once, wherever it comes first") {
  const std::string part_done = event("output_text.done", R"("content_index":0,"text":"whole")");
  const std::string at_end = completed(9, "[" + message + "]");
  for (const auto& payloads : std::vector<std::vector<std::string>>{
           {created(), text_delta("whole", 1), part_done, item("done", message), at_end},
           {created(), part_done, item("done", message), at_end},
           {created(), item("done", message), at_end},
           {created(), at_end}}) {
    const Recorder got = responses_events(payloads);
    CHECK_FALSE(got.outcome->failure);
    CHECK(got.text == "whole");
    CHECK(got.deltas.size() == 1);
  }
  const Recorder document =
      responses_result({script::send(script::head(200, "application/json") +
                                     script::chunk(R"({"id":"r","object":"response","status":"completed","output":[)" +
                                                   message + R"(],"usage":{"input_tokens":3,"output_tokens":5}})") +
                                     script::last_chunk)});
  CHECK_FALSE(document.outcome->failure);
  CHECK(document.text == "whole");
  CHECK(document.outcome->usage.output_tokens == 5u);
}

TEST_CASE("refusals are text; a delta may be an object; halves of characters meet; unknown events pass") {
  const Recorder got = responses_events(
      {created(), event("output_text.delta", R"("content_index":0,"delta":{"role":null,"content":"a\ud83d"})"),
       R"({"type":"keepalive","sequence_number":3})", R"({"type":"response.brand_new","delta":"no"})",
       event("output_text.delta", R"("content_index":0,"delta":{"text":"\ude00"})"),
       event("refusal.delta", R"("content_index":1,"delta":" no")"), completed()});
  CHECK_FALSE(got.outcome->failure);
  CHECK(got.text == "a\xF0\x9F\x98\x80 no");
  CHECK(got.outcome->finish_reason == FinishReason::stop);
}

TEST_CASE("reasoning is told once, with a blank line between the parts of its summary") {
  const std::string done =
      R"({"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"one"},{"type":"summary_text",)"
      R"("text":"two"}],"content":[{"type":"reasoning_text","text":"raw"}],"encrypted_content":"c2VjcmV0"})";
  const std::vector<std::string> deltas = {event("reasoning_summary_text.delta", R"("summary_index":0,"delta":"on")"),
                                           event("reasoning_summary_text.delta", R"("summary_index":0,"delta":"e")"),
                                           event("reasoning_text.delta", R"("content_index":0,"delta":"raw")"),
                                           event("reasoning_summary_text.delta", R"("summary_index":1,"delta":"two")"),
                                           event("reasoning_summary_text.done", R"("summary_index":1,"text":"two")")};
  for (const bool with_deltas : {true, false}) {
    std::vector<std::string> payloads = {created()};
    if (with_deltas) payloads.insert(payloads.end(), deltas.begin(), deltas.end());
    payloads.insert(payloads.end(), {item("done", done), completed(9, "[" + done + "]")});
    const Recorder got = responses_events(payloads);
    CHECK(got.reasoning == "one\n\ntwo");
    REQUIRE(got.opaque.size() == 1);
    CHECK(json::parse(got.opaque[0]) ==
          json{{"provider", "openai-responses"}, {"type", "encrypted_reasoning"}, {"id", "rs"}, {"data", "c2VjcmV0"}});
  }
}

TEST_CASE("tool calls: numbered, named by their first piece, whole however they come") {
  const std::string added =
      R"({"type":"function_call","id":"fc","call_id":"call_a","name":"f","arguments":"","status":"in_progress"})";
  const std::string done =
      R"({"type":"function_call","id":"fc","call_id":"call_a","name":"f","arguments":"{\"a\":1}"})";
  const std::string piece = event("function_call_arguments.delta", R"("delta":"{\"a\":")");
  const std::string rest = event("function_call_arguments.delta", R"("delta":"1}")");
  const std::string all = event("function_call_arguments.done", R"("arguments":"{\"a\":1}")");
  for (const auto& payloads : std::vector<std::vector<std::string>>{
           {created(), item("added", added), piece, rest, all, item("done", done), completed()},
           {created(), item("added", added), all, item("done", done), completed()},
           {created(), item("added", added), item("done", done), completed()},
           {created(), piece, rest, item("done", done), completed()},
           {created(), completed(9, "[" + done + "]")}}) {
    const Recorder got = responses_events(payloads);
    CHECK_FALSE(got.outcome->failure);
    REQUIRE(got.tools.size() == 1);
    CHECK(got.tools[0].id == "call_a");
    CHECK(got.tools[0].name == "f");
    CHECK(got.tools[0].arguments == R"({"a":1})");
    CHECK(got.outcome->finish_reason == FinishReason::tool_calls);
  }
  SECTION("a custom tool beside a function, all numbered 0 by the server") {
    const Recorder got =
        responses_events({created(), item("added", added), all,
                          item("added", R"({"type":"custom_tool_call","call_id":"call_b","name":"g","input":""})"),
                          event("custom_tool_call_input.delta", R"("delta":"free ")"),
                          event("custom_tool_call_input.delta", R"("delta":"text")"), completed()});
    REQUIRE(got.tools.size() == 2);
    CHECK(got.tools[0].arguments == R"({"a":1})");
    CHECK(got.tools[1].id == "call_b");
    CHECK(got.tools[1].arguments == "free text");
  }
}

TEST_CASE("how a response ends") {
  const auto ended = [](const std::string& type, const std::string& members) {
    return responses_events({created(), text_delta("a", 1),
                             R"({"type":"response.)" + type + R"(","response":{"id":"resp_1",)" + members + "}}"});
  };
  SECTION("incomplete") {
    const auto reason = [&](const std::string& name) {
      return ended("incomplete", R"("status":"incomplete","incomplete_details":{"reason":")" + name + "\"}");
    };
    CHECK(reason("max_output_tokens").outcome->finish_reason == FinishReason::length);
    CHECK(reason("content_filter").outcome->finish_reason == FinishReason::content_filter);
    const Recorder other = reason("tired");
    CHECK(other.outcome->finish_reason == FinishReason::other);
    CHECK(other.outcome->finish_reason_raw == "tired");
  }
  SECTION("failed, with what it cost") {
    const Recorder got = ended("failed", R"("status":"failed","error":{"code":"server_error","message":"oh"},)"
                                         R"("usage":{"input_tokens":7,"output_tokens":1})");
    CHECK(failure_of(got).code == ErrorCode::upstream_error);
    CHECK(failure_of(got).retryable);
    CHECK(failure_of(got).message == "oh");
    CHECK(got.outcome->usage.input_tokens == 7u);
  }
  SECTION("cancelled at the upstream") {
    CHECK_FALSE(failure_of(ended("cancelled", R"("status":"cancelled")")).retryable);
  }
  SECTION("without its end mark") {
    CHECK(failure_of(responses_events({created(), text_delta("a", 1)})).code == ErrorCode::upstream_truncated);
  }
}

TEST_CASE("errors in the stream, flat, nested and bare") {
  for (const char* payload :
       {R"({"type":"error","sequence_number":2,"code":"rate_limit_exceeded","message":"slow down","param":null})",
        R"({"type":"error","error":{"type":"tokens","code":"rate_limit_exceeded","message":"slow down"}})",
        R"({"error":{"code":429,"message":"slow down"}})"}) {
    const Recorder got = responses_events({created(), payload});
    CHECK(failure_of(got).code == ErrorCode::upstream_rate_limited);
    CHECK(failure_of(got).message == "slow down");
    CHECK(failure_of(got).retryable);
  }
  CHECK(failure_of(responses_events({created(), "no json"})).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(responses_result(script::raw_stream("[1]"))).code == ErrorCode::upstream_protocol);
}

TEST_CASE("a handler may destroy the call at any delta") {
  ResponsesRun run;
  run.server.answer({script::send(
      script::head() + script::chunk(responses_sse({created(), text_delta("a", 1), text_delta("b", 2), completed()})) +
      script::last_chunk)});
  run.start();
  run.recorder.on_delta = [&] {
    run.recorder.call.reset();
    run.loop.stop();
  };
  run.loop.run();
  CHECK(run.recorder.text == "a");
  CHECK_FALSE(run.recorder.outcome);
}
