// What the anthropic kind makes of a stream: blocks, counters, reasons.
#include "tests/upstream/anthropic/run.h"

using namespace tokenrelay;
using nlohmann::json;
using upstream::ErrorCode;
using upstream::FinishReason;
namespace script = support::script;

namespace {

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
  for (const char* error : {"error", "network_error", "internal_failure", "timeout"}) {
    const Recorder broken = text_with_end(finish_of(error));
    CHECK(failure_of(broken).code == ErrorCode::upstream_error);
    CHECK(failure_of(broken).retryable);
    CHECK(broken.text == "hi");
  }
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
  CHECK(whole.outcome->usage.cached_tokens == 1000u);
  CHECK(whole.outcome->usage.cache_write_tokens == 100u);
  CHECK(whole.outcome->usage.output_tokens == 7u);
  CHECK_FALSE(whole.outcome->usage.reasoning_tokens);
  const json thought = {{"output_tokens", 9}, {"output_tokens_details", {{"thinking_tokens", 6}}}};
  const Recorder thinking =
      anthropic_events({start({{"input_tokens", 5}}), text_start, text_of("x"), finish_of("end_turn", thought)});
  CHECK(thinking.outcome->usage.reasoning_tokens == 6u);
  const std::string stopped =
      json{{"type", "message_delta"}, {"delta", {{"stop_reason", "stop_sequence"}, {"stop_sequence", "END"}}}}.dump();
  const Recorder by_sequence = anthropic_events({start({}), text_start, text_of("x"), stopped, message_stop});
  CHECK(by_sequence.outcome->finish_reason == FinishReason::stop);
  CHECK(by_sequence.outcome->stop_sequence == "END");
  const Recorder later = anthropic_events(
      {start({{"input_tokens", 0}, {"output_tokens", 0}}), text_start,
       finish_of("end_turn", {{"input_tokens", 9}, {"cache_read_input_tokens", nullptr}, {"output_tokens", 8}}),
       finish_of(nullptr, {{"output_tokens", 11}}), message_stop});
  CHECK(later.outcome->usage.input_tokens == 9u);
  CHECK(later.outcome->usage.output_tokens == 11u);
  CHECK(later.outcome->finish_reason == FinishReason::stop);
  // Zero is no count of a prompt, and no later one takes a count away; a number may be a float or a text.
  const Recorder zero = anthropic_events(
      {start({{"input_tokens", "25"}, {"cache_read_input_tokens", 100}, {"output_tokens", 1}}), text_start,
       text_of("x"),
       finish_of("end_turn", {{"input_tokens", 0}, {"cache_read_input_tokens", 0}, {"output_tokens", 8.0}}),
       finish_of("end_turn", {{"output_tokens", 0}}), message_stop});
  CHECK(zero.outcome->usage.input_tokens == 125u);
  CHECK(zero.outcome->usage.output_tokens == 8u);
  const Recorder never = anthropic_events({start({{"input_tokens", 0}}), text_start, text_of("x"),
                                           finish_of("end_turn", {{"input_tokens", 0}}), message_stop});
  CHECK_FALSE(never.outcome->usage.input_tokens);
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
       stop_of(), finish_of("end_turn"), message_stop});
  CHECK(lone.text == "\xEF\xBF\xBD");
}

TEST_CASE("Messages: a delta is what it says, wherever it stands") {
  const auto thinking_of = [](const char* piece, int index) {
    return delta_of({{"type", "thinking_delta"}, {"thinking", piece}}, index);
  };
  const auto signature_of = [](const char* piece, int index) {
    return delta_of({{"type", "signature_delta"}, {"signature", piece}}, index);
  };
  const Recorder mixed = anthropic_events(
      {text_start, thinking_of("hm", 0), text_of("in text"), signature_of("s1", 0), stop_of(),
       start_of({{"type", "thinking"}, {"thinking", ""}}, 1), text_of(", in thinking", 1), thinking_of(" hm", 1),
       signature_of("s2", 7), stop_of(1), tool_of("t", "f", 2), text_of(", in a tool", 2), input_of("{}", 2),
       stop_of(2), text_of(", after a stop", 0), signature_of("s3", 9), finish_of("tool_use"), message_stop});
  REQUIRE_FALSE(mixed.outcome->failure);
  CHECK(mixed.text == "in text, in thinking, in a tool, after a stop");
  CHECK(mixed.reasoning == "hm hm");
  REQUIRE(mixed.opaque.size() == 3);
  CHECK(mixed.opaque[0] == R"({"provider":"anthropic","type":"signature","data":"s1"})");
  CHECK(mixed.opaque[1] == R"({"provider":"anthropic","type":"signature","data":"s2"})");
  REQUIRE(mixed.tools.size() == 1);
  CHECK(mixed.tools[0].arguments == "{}");
}

TEST_CASE("Messages: arguments find their call, or the run fails") {
  const auto arguments = [](const std::vector<std::string>& events) {
    std::vector<std::string> all = events;
    all.insert(all.end(), {finish_of("tool_use"), message_stop});
    return anthropic_events(all);
  };
  const Recorder misnumbered =
      arguments({text_start, stop_of(), tool_of("t", "f", 1), input_of("{\"a\":", 0), input_of("1}", 5), stop_of(1),
                 tool_of("u", "g", 2), input_of("{}", 1), input_of("{\"b\":2}", 1), stop_of(2)});
  REQUIRE(misnumbered.tools.size() == 2);
  CHECK(misnumbered.tools[0].arguments == R"({"a":1})");
  CHECK(misnumbered.tools[1].arguments == R"({"b":2})");
  const std::vector<std::string> homeless[] = {{tool_of("t", "f", 0), stop_of(), input_of("{\"a\":1}", 0)},
                                               {input_of("{\"a\":1}", 0)},
                                               {tool_of("t", "f", 0), tool_of("u", "g", 1), input_of("{\"a\":1}", 2)}};
  for (const auto& events : homeless) CHECK(failure_of(arguments(events)).code == ErrorCode::upstream_protocol);
  const Recorder nameless = arguments({tool_of("t", "", 0), input_of("{\"a\":1}", 0)});
  CHECK(failure_of(nameless).code == ErrorCode::upstream_protocol);
  CHECK(nameless.tools.empty());
}

TEST_CASE("Messages: what the start of a block says is said once") {
  const std::string hello = start_of({{"type", "text"}, {"text", "Hello"}});
  const auto said = [&](const std::string& next) {
    return anthropic_events({hello, next, text_of(" Hello"), stop_of(), finish_of("end_turn"), message_stop}).text;
  };
  CHECK(said(text_of("Hello")) == "Hello Hello");
  CHECK(said(text_of(", Hello")) == "Hello, Hello Hello");
  CHECK(said(ping) == "Hello Hello");
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

TEST_CASE("Messages: a handler may destroy the call inside any callback") {
  const auto stream = script::raw_stream(
      anthropic_sse({start_of({{"type", "thinking"}, {"thinking", ""}, {"signature", ""}}),
                     delta_of({{"type", "thinking_delta"}, {"thinking", "hm"}}),
                     delta_of({{"type", "signature_delta"}, {"signature", "s"}}), stop_of(), tool_of("t", "f", 1),
                     stop_of(1), text_start, text_of("a"), stop_of(), message_stop}));
  check_destroyed_in_any_callback<AnthropicRun>(stream, 6);
}
