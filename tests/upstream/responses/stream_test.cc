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

TEST_CASE("what the deltas left out comes from the whole that follows, and nothing twice") {
  const auto text_of = [](const std::vector<std::string>& payloads) {
    const Recorder got = responses_events(payloads);
    CHECK_FALSE(got.outcome->failure);
    return got.text;
  };
  const std::string who = text_delta("who", 1);
  CHECK(text_of({created(), who, event("output_text.done", R"("content_index":0,"text":"whole")"), completed()}) ==
        "whole");
  CHECK(text_of({created(), who, event("output_text.done", R"("content_index":7,"text":"whole")"), completed()}) ==
        "whole");
  CHECK(text_of({created(), who, item("done", message), completed()}) == "whole");
  CHECK(text_of({created(), who, completed(9, "[" + message + "]")}) == "whole");
  CHECK(text_of({created(), text_delta("other", 1), item("done", message), completed(9, "[" + message + "]")}) ==
        "other");
  CHECK(text_of({created(), who, text_delta("le", 2, "1"), completed(9, "[" + message + "]")}) == "whole");
  CHECK(text_of({created(), event("output_text.delta", R"("content_index":0,"delta":"\ud83d")"),
                 event("output_text.done", R"("content_index":0,"text":"\ud83d\ude00")"), completed()}) ==
        "\xF0\x9F\x98\x80");
  const std::string two = R"({"type":"message","content":[{"text":"ha"},{"type":"other"},{"text":"ha"}]})";
  CHECK(text_of({created(), item("done", two), completed(9, "[" + two + "]")}) == "haha");
  CHECK(text_of({created(), text_delta("hah", 1), item("done", two), completed(9, "[" + two + "]")}) == "haha");
}

TEST_CASE("a summary of which a part is missing is completed with its blank line") {
  const std::string done = R"({"type":"reasoning","summary":[{"text":"one"},{"text":"two"},{"text":"three"}]})";
  const auto delta = [](const std::string& members) { return event("reasoning_summary_text.delta", members); };
  CHECK(responses_events({created(), delta(R"("summary_index":0,"delta":"one")"),
                          delta(R"("summary_index":1,"delta":"t")"), item("done", done), completed()})
            .reasoning == "one\n\ntwo\n\nthree");
  // All parts numbered 0: what was said has no blank lines, and is not said again.
  CHECK(responses_events({created(), delta(R"("summary_index":0,"delta":"onetwo")"),
                          delta(R"("summary_index":0,"delta":"three")"), item("done", done), completed()})
            .reasoning == "onetwothree");
}

TEST_CASE("a call is told once it has a name, wherever the name comes; one that never gets a name fails the run") {
  const std::string piece = event("function_call_arguments.delta", R"("delta":"{\"a\":1}")");
  const std::string whole = R"({"type":"function_call","call_id":"call_a","name":"f","arguments":"{\"a\":1}"})";
  for (const auto& payloads : std::vector<std::vector<std::string>>{
           {created(), piece, event("function_call_arguments.done", R"("name":"f","arguments":"{\"a\":1}")"),
            item("done", whole), completed()},
           {created(), piece, completed(9, "[" + whole + "]")}}) {
    const Recorder got = responses_events(payloads);
    CHECK_FALSE(got.outcome->failure);
    REQUIRE(got.tools.size() == 1);
    CHECK(got.tools[0].name == "f");
    CHECK(got.tools[0].arguments == R"({"a":1})");
  }
  const Recorder nameless = responses_events({created(), piece, completed()});
  CHECK(nameless.tools.empty());
  CHECK(failure_of(nameless).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(nameless).message == "the upstream sent a tool call without a name");
}

TEST_CASE("a call's id is told whole, however long; what is held of calls is bounded") {
  const std::string long_id(5'000, 'i');
  const std::string call = R"({"type":"function_call","call_id":")" + long_id + R"(","name":"f","arguments":"{}"})";
  CHECK(responses_events({created(), item("done", call), completed()}).tools.at(0).id == long_id);
  CHECK(responses_events({created(), completed(9, "[" + call + "]")}).tools.at(0).id == long_id);
  const std::string much(1'000'000, '1');
  std::vector<std::string> nameless = {created()}, ids = {created()};
  for (int i = 0; i < 9; ++i) {
    const std::string place = R"("output_index":)" + std::to_string(i) + R"(,"item_id":")" + std::to_string(i);
    nameless.push_back(R"({"type":"response.function_call_arguments.delta",)" + place + R"(","delta":")" + much +
                       "\"}");
  }
  for (int i = 0; i < 600; ++i) {
    ids.push_back(R"({"type":"response.output_text.delta","item_id":")" + std::to_string(i) + std::string(20'000, 'i') +
                  R"(","delta":"x"})");
  }
  for (const auto& payloads : {nameless, ids}) {
    const Recorder got = responses_events(payloads);
    CHECK(got.tools.empty());
    CHECK(failure_of(got).message == "a part of the upstream's response is too large");
  }
}

TEST_CASE("calls that only the response's output has are told, renamed ones are not told again") {
  const auto call = [](const std::string& id, const std::string& name) {
    return R"({"type":"function_call","call_id":")" + id + R"(","name":")" + name + R"(","arguments":"{}"})";
  };
  const Recorder more = responses_events(
      {created(), item("done", call("a", "f")), completed(9, "[" + call("a", "f") + "," + call("b", "g") + "]")});
  REQUIRE(more.tools.size() == 2);
  CHECK(more.tools[1].id == "b");
  CHECK(more.tools[1].arguments == "{}");
  CHECK(responses_events({created(), item("done", call("a", "f")), completed(9, "[" + call("z", "f") + "]")})
            .tools.size() == 1);
}

TEST_CASE("usage: in Chat's names, as a fraction or a string, in halves, and a zero is no count after one") {
  const auto usage_of = [](const std::string& first, const std::string& last) {
    return responses_events(
               {R"({"type":"response.in_progress","response":{"id":"r","status":"in_progress","usage":)" + first + "}}",
                text_delta("a", 1),
                R"({"type":"response.completed","response":{"id":"r","status":"completed","usage":)" + last + "}}"})
        .outcome->usage;
  };
  for (const auto& usage :
       {usage_of("null", R"({"prompt_tokens":3,"completion_tokens":5})"),
        usage_of("null", R"({"input_tokens":3.0,"output_tokens":"5"})"),
        usage_of(R"({"input_tokens":3})", R"({"output_tokens":5})"),
        usage_of(R"({"input_tokens":3,"output_tokens":5})", R"({"input_tokens":0,"output_tokens":0})")}) {
    CHECK(usage.input_tokens == 3u);
    CHECK(usage.output_tokens == 5u);
  }
  const auto parts = usage_of(
      "null",
      R"({"input_tokens":30,"input_tokens_details":{"cache_write_tokens":1,"cached_tokens":12},"output_tokens":50,)"
      R"("output_tokens_details":{"reasoning_tokens":40}})");
  CHECK(parts.cached_tokens == 12u);
  CHECK(parts.cache_write_tokens == 1u);
  CHECK(parts.reasoning_tokens == 40u);
  CHECK_FALSE(usage_of("null", R"({"input_tokens":3,"input_tokens_details":null})").cached_tokens);
  CHECK_FALSE(usage_of("null", R"({"input_tokens":-1,"output_tokens":"many"})").output_tokens);
}

TEST_CASE("an empty response is a failure unless it says why, or counted tokens") {
  const auto ended = [](const std::string& type, const std::string& members) {
    return responses_events(
        {created(), R"({"type":"response.)" + type + R"(","response":{"id":"resp_1",)" + members + "}}"});
  };
  CHECK(failure_of(ended("completed", R"("status":"completed")")).code == ErrorCode::upstream_empty);
  CHECK_FALSE(
      ended("completed", R"("status":"completed","usage":{"input_tokens":3,"output_tokens":9})").outcome->failure);
  CHECK_FALSE(ended("incomplete", R"("status":"incomplete","incomplete_details":{"reason":"max_output_tokens"})")
                  .outcome->failure);
  CHECK_FALSE(ended("incomplete", R"("status":"incomplete")").outcome->failure);
  const Recorder image = ended("completed", R"("status":"completed","output":[{"type":"image_generation_call"}])");
  CHECK(failure_of(image).code == ErrorCode::upstream_error);
  CHECK(failure_of(image).message.find("image_generation_call") != std::string::npos);
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
    CHECK(failure_of(reason("error")).message == "the upstream stopped with the reason error");
    const Recorder unsaid = ended("incomplete", R"("status":"incomplete","incomplete_details":null)");
    CHECK(unsaid.outcome->finish_reason_raw == "incomplete");
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
