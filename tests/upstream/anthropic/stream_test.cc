// What the anthropic kind makes of a stream: blocks, counters, reasons, errors and ends.
#include "tests/upstream/anthropic/run.h"

using namespace tokenrelay;
using nlohmann::json;
using upstream::ErrorCode;
using upstream::FinishReason;
namespace script = support::script;

namespace {

std::string start_of(const json& block, int index = 0) {
  return json{{"type", "content_block_start"}, {"index", index}, {"content_block", block}}.dump();
}
std::string delta_of(const json& delta, int index = 0) {
  return json{{"type", "content_block_delta"}, {"index", index}, {"delta", delta}}.dump();
}
std::string text_of(const std::string& text, int index = 0) {
  return delta_of({{"type", "text_delta"}, {"text", text}}, index);
}
std::string stop_of(int index = 0) {
  return json{{"type", "content_block_stop"}, {"index", index}}.dump();
}
std::string finish_of(const json& reason, const json& usage = {{"output_tokens", 7}}) {
  return json{{"type", "message_delta"}, {"delta", {{"stop_reason", reason}}}, {"usage", usage}}.dump();
}
std::string tool_of(const std::string& id, const std::string& name, int index) {
  return start_of({{"type", "tool_use"}, {"id", id}, {"name", name}, {"input", json::object()}}, index);
}
std::string input_of(const std::string& piece, int index) {
  return delta_of({{"type", "input_json_delta"}, {"partial_json", piece}}, index);
}
const std::string text_start = start_of({{"type", "text"}, {"text", ""}});
const std::string message_stop = R"({"type":"message_stop"})";
const std::string ping = R"({"type":"ping"})";

Recorder text_with_end(const std::string& finish) {
  return anthropic_events({text_start, text_of("hi"), stop_of(), finish, message_stop});
}

}  // namespace

TEST_CASE("stop reasons of Messages") {
  const std::tuple<const char*, FinishReason, const char*> cases[] = {
      {"end_turn", FinishReason::stop, ""},
      {"stop_sequence", FinishReason::stop, ""},
      {"max_tokens", FinishReason::length, ""},
      {"model_context_window_exceeded", FinishReason::length, ""},
      {"tool_use", FinishReason::tool_calls, ""},
      {"refusal", FinishReason::content_filter, ""},
      {"pause_turn", FinishReason::other, "pause_turn"},
      {"to_come", FinishReason::other, "to_come"}};
  for (const auto& [said, reason, raw] : cases) {
    INFO(said);
    const Recorder got = text_with_end(finish_of(said));
    REQUIRE_FALSE(got.outcome->failure);
    CHECK(got.outcome->finish_reason == reason);
    CHECK(got.outcome->finish_reason_raw == raw);
  }
  const Recorder unsaid = anthropic_events({text_start, text_of("hi"), message_stop});
  CHECK_FALSE(unsaid.outcome->failure);
  CHECK(unsaid.outcome->finish_reason == FinishReason::other);
  const Recorder refused = anthropic_events({finish_of("refusal"), message_stop});
  CHECK(refused.outcome->finish_reason == FinishReason::content_filter);
  CHECK(refused.text.empty());
}

TEST_CASE("usage of Messages: input with its caches, output of the end") {
  const auto start = [](const json& usage) {
    return json{{"type", "message_start"}, {"message", {{"id", "msg_1"}, {"content", json::array()}, {"usage", usage}}}}
        .dump();
  };
  const json cached = {{"input_tokens", 5},
                       {"cache_creation_input_tokens", 100},
                       {"cache_read_input_tokens", 1000},
                       {"output_tokens", 1}};
  const Recorder whole =
      anthropic_events({start(cached), text_start, text_of("x"), finish_of("end_turn"), message_stop});
  CHECK(whole.outcome->usage.input_tokens == 1105u);
  CHECK(whole.outcome->usage.output_tokens == 7u);
  const Recorder later = anthropic_events(
      {start({{"input_tokens", 0}, {"output_tokens", 0}}), text_start,
       finish_of("end_turn", {{"input_tokens", 9}, {"cache_read_input_tokens", nullptr}, {"output_tokens", 8}}),
       finish_of(nullptr, {{"output_tokens", 11}}), message_stop});
  CHECK(later.outcome->usage.input_tokens == 9u);
  CHECK(later.outcome->usage.output_tokens == 11u);
  CHECK(later.outcome->finish_reason == FinishReason::stop);
  // Of a cut answer, message_start's guess is no count.
  const Recorder cut = anthropic_events({start(cached), text_start, text_of("a long answer that is cut")});
  CHECK(failure_of(cut).code == ErrorCode::upstream_truncated);
  CHECK(cut.outcome->usage.input_tokens == 1105u);
  CHECK_FALSE(cut.outcome->usage.output_tokens);
}

TEST_CASE("tool calls of Messages, numbered in the order of their blocks") {
  const Recorder got = anthropic_events(
      {text_start,
       ping,
       text_of("Let me see."),
       stop_of(),
       tool_of("toolu_a", "f", 1),
       ping,
       input_of("", 1),
       input_of(R"({"a":)", 1),
       ping,
       input_of("1}", 1),
       stop_of(1),
       start_of({{"type", "server_tool_use"}, {"id", "srv_1"}, {"name", "web_search"}, {"input", json::object()}}, 2),
       input_of(R"({"query":"x"})", 2),
       stop_of(2),
       start_of({{"type", "web_search_tool_result"}, {"tool_use_id", "srv_1"}, {"content", json::array()}}, 3),
       stop_of(3),
       tool_of("toolu_b", "g", 4),
       input_of("", 4),
       stop_of(4),
       start_of({{"type", "tool_use"}, {"id", "toolu_c"}, {"name", "h"}, {"input", {{"k", "v"}}}}, 5),
       stop_of(5),
       finish_of("tool_use"),
       message_stop});
  CHECK_FALSE(got.outcome->failure);
  CHECK(got.text == "Let me see.");
  REQUIRE(got.tools.size() == 3);
  CHECK(got.tools[0].id == "toolu_a");
  CHECK(got.tools[0].arguments == R"({"a":1})");
  CHECK(got.tools[1].name == "g");
  CHECK(got.tools[1].arguments == "{}");
  CHECK(got.tools[2].arguments == R"({"k":"v"})");
  CHECK(got.outcome->finish_reason == FinishReason::tool_calls);
  const Recorder mislabelled = anthropic_events({tool_of("t", "f", 0), stop_of(), finish_of("end_turn"), message_stop});
  CHECK(mislabelled.outcome->finish_reason == FinishReason::tool_calls);
  // Nothing is made up for a call that was cut.
  CHECK(anthropic_events({tool_of("t", "f", 0)}).tools.at(0).arguments == "");
}

TEST_CASE("signatures and redacted thinking of Messages come at their block's end, byte for byte") {
  const Recorder got =
      anthropic_events({start_of({{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}),
                        delta_of({{"type", "thinking_delta"}, {"thinking", "hm"}}),
                        delta_of({{"type", "signature_delta"}, {"signature", "Ev+/\"q"}}),
                        delta_of({{"type", "signature_delta"}, {"signature", "B=="}}), stop_of(),
                        start_of({{"type", "redacted_thinking"}, {"data", "Em8="}}, 1), stop_of(1),
                        start_of({{"type", "thinking"}, {"thinking", "whole"}, {"signature", "at once"}}, 2),
                        stop_of(2), start_of({{"type", "thinking"}, {"thinking", "unsigned"}}, 3), stop_of(3),
                        text_start, text_of("ok"), stop_of(), finish_of("end_turn"), message_stop});
  CHECK(got.reasoning == "hmwholeunsigned");
  REQUIRE(got.opaque.size() == 3);
  CHECK(got.opaque[0] == R"({"provider":"anthropic","type":"signature","data":"Ev+/\"qB=="})");
  CHECK(got.opaque[1] == R"({"provider":"anthropic","type":"redacted_thinking","data":"Em8="})");
  CHECK(got.opaque[2] == R"({"provider":"anthropic","type":"signature","data":"at once"})");
  const Recorder half = anthropic_events({start_of({{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}),
                                          delta_of({{"type", "signature_delta"}, {"signature", "half"}})});
  CHECK(half.opaque.empty());
}

TEST_CASE("Messages: what is unknown is skipped, what is cut in two is joined") {
  const Recorder got = anthropic_events(
      {R"({"type":"something_new","index":0,"delta":{"type":"text_delta","text":"no"}})", text_start,
       delta_of({{"type", "citations_delta"}, {"citation", {{"type", "char_location"}, {"text", "no"}}}}),
       R"({"type":"content_block_delta","index":0,"delta":{"text":"\ud83d","type":"text_delta"}})",
       delta_of({{"type", "compaction_delta"}, {"content", "no"}}),
       R"({"index":0,"delta":{"type":"text_delta","text":"\ude00"},"type":"content_block_delta"})", text_of("", 0),
       stop_of(), text_of("no start", 9), finish_of("end_turn"), message_stop});
  CHECK_FALSE(got.outcome->failure);
  CHECK(got.text == "\xF0\x9F\x98\x80no start");
  const Recorder lone = anthropic_events(
      {text_start, R"({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\ud83d"}})",
       stop_of(), message_stop});
  CHECK(lone.text == "\xEF\xBF\xBD");
}

TEST_CASE("Messages: errors in the stream") {
  const std::tuple<const char*, ErrorCode, bool> cases[] = {
      {"overloaded_error", ErrorCode::upstream_overloaded, true},
      {"api_error", ErrorCode::upstream_error, true},
      {"rate_limit_error", ErrorCode::upstream_rate_limited, true},
      {"timeout_error", ErrorCode::upstream_error, true},
      {"invalid_request_error", ErrorCode::upstream_bad_request, false},
      {"billing_error", ErrorCode::upstream_rate_limited, false},
      {"authentication_error", ErrorCode::upstream_auth, false}};
  for (const auto& [type, code, retryable] : cases) {
    INFO(type);
    const Recorder got = anthropic_events(
        {text_start, text_of("so far"),
         json{{"type", "error"}, {"error", {{"type", type}, {"message", "sk-ant-secret said"}}}, {"request_id", "r"}}
             .dump(),
         text_of("never")});
    CHECK(got.text == "so far");
    CHECK(failure_of(got).code == code);
    CHECK(failure_of(got).retryable == retryable);
    if (code != ErrorCode::upstream_auth) CHECK(failure_of(got).message == "*** said");
  }
}

TEST_CASE("Messages: refusals by status") {
  const std::tuple<int, const char*, ErrorCode, bool> cases[] = {
      {400, "invalid_request_error", ErrorCode::upstream_bad_request, false},
      {401, "authentication_error", ErrorCode::upstream_auth, false},
      {402, "billing_error", ErrorCode::upstream_error, false},
      {403, "permission_error", ErrorCode::upstream_auth, false},
      {404, "not_found_error", ErrorCode::upstream_bad_request, false},
      {413, "request_too_large", ErrorCode::upstream_bad_request, false},
      {429, "rate_limit_error", ErrorCode::upstream_rate_limited, false},
      {500, "api_error", ErrorCode::upstream_error, true},
      {504, "timeout_error", ErrorCode::upstream_error, true},
      {529, "overloaded_error", ErrorCode::upstream_overloaded, true}};
  for (const auto& [status, type, code, retryable] : cases) {
    INFO(status);
    const json body = {{"type", "error"}, {"error", {{"type", type}, {"message", "its words"}}}, {"request_id", "r"}};
    const auto failure = failure_of(anthropic_result(script::refusal(status, body.dump())));
    CHECK(failure.code == code);
    CHECK(failure.retryable == retryable);
    CHECK(failure.http_status == status);
    CHECK(failure.message ==
          (code == ErrorCode::upstream_auth ? "the upstream refused the relay's credential" : "its words"));
  }
}

TEST_CASE("Messages: a 429 that is worth waiting for, and those that are not") {
  const auto result = [](const json& error, const support::Fields& headers) {
    const json body = {{"type", "error"}, {"error", error}};
    return failure_of(anthropic_result(script::refusal(429, body.dump(), headers)));
  };
  const json slow = {{"type", "rate_limit_error"}, {"message", "slow down"}};
  json spent = slow;
  spent["details"] = {{"error_code", "enforced_spend_limit_reached"}};
  CHECK(result(slow, {{"retry-after", "7"}}).retryable);
  CHECK(result(slow, {{"retry-after", "7"}}).retry_after_ms == 7000);
  CHECK_FALSE(result(slow, {}).retryable);
  CHECK(result(slow, {{"x-should-retry", "true"}}).retryable);
  CHECK_FALSE(result(slow, {{"retry-after", "7"}, {"x-should-retry", "false"}}).retryable);
  CHECK_FALSE(result(spent, {}).retryable);
  CHECK_FALSE(result(spent, {{"retry-after", "7"}}).retryable);
}

TEST_CASE("Messages: an end without message_stop is none") {
  const std::string so_far = anthropic_sse({text_start, text_of("so far"), stop_of(), finish_of("end_turn")});
  const Recorder clean = anthropic_result(script::raw_stream(so_far));
  CHECK(failure_of(clean).code == ErrorCode::upstream_truncated);
  CHECK(clean.text == "so far");
  const Recorder reset =
      anthropic_result({script::send(script::head() + script::chunk(so_far)), script::pause(20), script::cut()});
  CHECK(failure_of(reset).code == ErrorCode::upstream_truncated);
  CHECK(failure_of(anthropic_events({})).code == ErrorCode::upstream_truncated);
  // The mark without its blank line.
  CHECK_FALSE(
      anthropic_result(script::raw_stream(so_far + "event: message_stop\ndata: " + message_stop)).outcome->failure);
  CHECK(failure_of(anthropic_result(script::raw_stream(so_far + "data: {\"type\":\"mess"))).code ==
        ErrorCode::upstream_truncated);
  // What comes after the mark, a cut included, changes nothing.
  CHECK_FALSE(anthropic_result({script::send(script::head() + script::chunk(so_far + anthropic_event(message_stop))),
                                script::pause(20), script::cut()})
                  .outcome->failure);
}

TEST_CASE("Messages: answers that are no stream") {
  const auto document = [](const std::string& body) {
    return anthropic_result(
        {script::send(script::head(200, "application/json") + script::chunk(body) + script::last_chunk)});
  };
  const Recorder whole =
      document(json{{"id", "msg_1"},
                    {"type", "message"},
                    {"content",
                     {{{"type", "thinking"}, {"thinking", "hm"}, {"signature", "sig"}},
                      {{"type", "redacted_thinking"}, {"data", "red"}},
                      {{"type", "text"}, {"text", "All at once"}},
                      {{"type", "tool_use"}, {"id", "toolu_1"}, {"name", "f"}, {"input", {{"a", 1}}}},
                      {{"type", "tool_use"}, {"id", "toolu_2"}, {"name", "g"}, {"input", json::object()}}}},
                    {"stop_reason", "tool_use"},
                    {"usage", {{"input_tokens", 3}, {"cache_read_input_tokens", 4}, {"output_tokens", 5}}}}
                   .dump());
  REQUIRE_FALSE(whole.outcome->failure);
  CHECK(whole.text == "All at once");
  CHECK(whole.reasoning == "hm");
  REQUIRE(whole.opaque.size() == 2);
  REQUIRE(whole.tools.size() == 2);
  CHECK(whole.tools[0].arguments == R"({"a":1})");
  CHECK(whole.tools[1].arguments == "{}");
  CHECK(whole.outcome->finish_reason == FinishReason::tool_calls);
  CHECK(whole.outcome->usage.input_tokens == 7u);
  CHECK(whole.outcome->usage.output_tokens == 5u);
  CHECK(failure_of(document(R"({"type":"error","error":{"type":"overloaded_error","message":"m"}})")).code ==
        ErrorCode::upstream_overloaded);
  CHECK(failure_of(document(R"({"hello":1})")).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(document(R"({"hello":)")).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(document("<html>")).code == ErrorCode::upstream_protocol);
  CHECK(failure_of(anthropic_result(script::raw_stream("data: no json\n\n"))).code == ErrorCode::upstream_protocol);
}

TEST_CASE("Messages: more than the bounds allow ends the call") {
  std::vector<std::string> blocks;
  for (int i = 0; i < 65; ++i) blocks.push_back(start_of({{"type", "text"}, {"text", ""}}, i));
  CHECK(failure_of(anthropic_events(blocks)).code == ErrorCode::upstream_protocol);
  const std::string half(600'000, 's');
  CHECK(failure_of(anthropic_events({start_of({{"type", "thinking"}, {"thinking", ""}}),
                                     delta_of({{"type", "signature_delta"}, {"signature", half}}),
                                     delta_of({{"type", "signature_delta"}, {"signature", half}}), message_stop}))
            .code == ErrorCode::upstream_protocol);
}

TEST_CASE("Messages: a handler may destroy the call inside any callback") {
  const auto stream = script::raw_stream(
      anthropic_sse({start_of({{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}),
                     delta_of({{"type", "thinking_delta"}, {"thinking", "hm"}}),
                     delta_of({{"type", "signature_delta"}, {"signature", "s"}}), stop_of(), tool_of("t", "f", 1),
                     stop_of(1), text_start, text_of("a"), stop_of(), message_stop}));
  check_destroyed_in_any_callback<AnthropicRun>(stream, 6);
}
