// The anthropic kind: errors, refusals, ends, and what is more than the bounds allow.
#include "tests/upstream/anthropic/run.h"

using namespace tokenrelay;
using nlohmann::json;
using upstream::ErrorCode;
namespace script = support::script;

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
      {429, "rate_limit_error", ErrorCode::upstream_rate_limited, true},
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
  CHECK(result(slow, {}).retryable);
  CHECK(result(slow, {{"x-should-retry", "true"}}).retryable);
  CHECK_FALSE(result(slow, {{"retry-after", "7"}, {"x-should-retry", "false"}}).retryable);
  CHECK_FALSE(result(spent, {}).retryable);
  CHECK_FALSE(result(spent, {{"retry-after", "7"}}).retryable);
  for (const char* words : {"You have reached your monthly spend limit.", "Your credit balance is too low.",
                            "Usage limit reached for 5 hours.", "Check your plan and billing details."}) {
    INFO(words);
    CHECK_FALSE(result({{"type", "rate_limit_error"}, {"message", words}}, {}).retryable);
  }
}

TEST_CASE("Messages: an end without a stop reason is none") {
  const std::string so_far = anthropic_sse({text_start, text_of("so far"), stop_of()});
  const Recorder clean = anthropic_result(script::raw_stream(so_far));
  CHECK(failure_of(clean).code == ErrorCode::upstream_truncated);
  CHECK(clean.text == "so far");
  const Recorder reset =
      anthropic_result({script::send(script::head() + script::chunk(so_far)), script::pause(20), script::cut()});
  CHECK(failure_of(reset).code == ErrorCode::upstream_truncated);
  const std::string stop = anthropic_event(message_stop);
  const std::string ends[] = {"",
                              stop,
                              script::done,
                              "data: {\"type\":\"mess",
                              anthropic_event(finish_of("")) + stop,
                              anthropic_event(finish_of("null")) + stop};
  for (const std::string& end : ends) {
    INFO(end);
    CHECK(failure_of(anthropic_result(script::raw_stream(end))).code == ErrorCode::upstream_truncated);
    CHECK(failure_of(anthropic_result(script::raw_stream(so_far + end))).code == ErrorCode::upstream_truncated);
  }
}

TEST_CASE("Messages: after a stop reason every end is one") {
  const std::string so_far = anthropic_sse({text_start, text_of("so far"), stop_of(), finish_of("end_turn")});
  const std::string stop = anthropic_event(message_stop);
  const std::string head = script::head();
  const support::Script ends[] = {
      script::raw_stream(so_far + stop),
      script::raw_stream(so_far),
      script::raw_stream(so_far + script::done),
      script::raw_stream(so_far + "data: that was it\n\n" + anthropic_event(text_of("never"))),
      // The mark without its blank line.
      script::raw_stream(so_far + "event: message_stop\ndata: " + message_stop),
      script::raw_stream(so_far + "data: {\"type\":\"mess"),
      {script::send(head + script::chunk(so_far)), script::pause(20), script::cut()},
      {script::send(head + script::chunk(so_far)), script::stall()},
      {script::send(head + script::chunk(so_far + stop)), script::pause(20), script::cut()}};
  for (const auto& end : ends) {
    const Recorder got = anthropic_result(end);
    REQUIRE(got.outcome);
    CHECK_FALSE(got.outcome->failure);
    CHECK(got.text == "so far");
    CHECK(got.outcome->usage.output_tokens == 7u);
  }
  // A block that was not stopped is whole all the same.
  const Recorder open = anthropic_events(
      {tool_of("t", "f", 0), tool_of("u", "g", 1), input_of("{", 1), input_of("}", 1), finish_of("tool_use")});
  REQUIRE(open.tools.size() == 2);
  CHECK(open.tools[0].arguments == "{}");
  CHECK(open.tools[1].arguments == "{}");
  // Content lifts the mark until there is another reason.
  const std::string more = anthropic_event(text_of(" more", 1));
  CHECK(failure_of(anthropic_result(script::raw_stream(so_far + more))).code == ErrorCode::upstream_truncated);
  const Recorder again = anthropic_result(
      {script::send(head + script::chunk(so_far)), script::pause(100), script::send(script::chunk(more)),
       script::pause(600), script::send(script::chunk(anthropic_sse({text_of(".", 1), finish_of("end_turn")}))),
       script::pause(600), script::send(script::chunk(stop) + script::last_chunk)});
  CHECK_FALSE(again.outcome->failure);
  CHECK(again.text == "so far more.");
}

TEST_CASE("Messages: an empty answer is one only where its reason or its count explains it") {
  const auto empty = [](const char* reason, int tokens) {
    return anthropic_events({text_start, stop_of(), finish_of(reason, {{"output_tokens", tokens}}), message_stop});
  };
  for (const char* reason : {"max_tokens", "refusal", "pause_turn"}) {
    INFO(reason);
    CHECK_FALSE(empty(reason, 0).outcome->failure);
  }
  CHECK_FALSE(empty("end_turn", 3).outcome->failure);
  CHECK(failure_of(empty("end_turn", 0)).code == ErrorCode::upstream_empty);
  CHECK(failure_of(empty("stop_sequence", 0)).code == ErrorCode::upstream_empty);
  CHECK(failure_of(empty("tool_use", 0)).code == ErrorCode::upstream_empty);
  const std::string search =
      start_of({{"type", "server_tool_use"}, {"id", "srv_1"}, {"name", "web_search"}, {"input", json::object()}});
  const Recorder hosted = anthropic_events({search, stop_of(), finish_of("end_turn"), message_stop});
  CHECK(failure_of(hosted).code == ErrorCode::upstream_error);
  CHECK(failure_of(hosted).message.find("server_tool_use") != std::string::npos);
  CHECK_FALSE(anthropic_events({search, stop_of(), finish_of("pause_turn"), message_stop}).outcome->failure);
}

TEST_CASE("Messages: what is no error, and errors without the usual frame") {
  for (const char* nothing : {"null", "false", "\"\"", "{}", "[]"}) {
    INFO(nothing);
    const Recorder got =
        anthropic_events({text_start,
                          std::string(R"({"error":)") + nothing +
                              R"(,"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}})",
                          finish_of("end_turn"), message_stop});
    REQUIRE_FALSE(got.outcome->failure);
    CHECK(got.text == "hi");
  }
  const std::string so_far = anthropic_sse({text_start, text_of("so far")});
  const std::pair<const char*, ErrorCode> errors[] = {
      {"event: error\ndata: its words\n\n", ErrorCode::upstream_error},
      {"event: error\ndata: {\"type\":\"overloaded_error\",\"message\":\"its words\"}\n\n",
       ErrorCode::upstream_overloaded},
      {"data: {\"type\":\"overloaded_error\",\"message\":\"its words\"}\n\n", ErrorCode::upstream_overloaded},
      {"data: {\"code\":429,\"message\":\"its words\"}\n\n", ErrorCode::upstream_rate_limited},
      {"data: [{\"error\":{\"type\":\"overloaded_error\",\"message\":\"its words\"}}]\n\n",
       ErrorCode::upstream_overloaded},
      {"{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"its words\"}}\n\n",
       ErrorCode::upstream_overloaded}};
  for (const auto& [event, code] : errors) {
    INFO(event);
    const Recorder got = anthropic_result(script::raw_stream(so_far + event + anthropic_event(message_stop)));
    CHECK(got.text == "so far");
    CHECK(failure_of(got).code == code);
    CHECK(failure_of(got).message == "its words");
  }
  // The event's name counts where the payload has no type, and a ping may be anything.
  const Recorder named = anthropic_result(script::raw_stream(
      "event: content_block_start\ndata: {\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"
      "event: ping\ndata: alive\n\n"
      "event: content_block_delta\ndata: {\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hi\"}}\n\n"
      "event: message_delta\ndata: {\"delta\":{\"stop_reason\":\"end_turn\"}}\n\n"
      "event: message_stop\ndata: {}\n\n"));
  CHECK_FALSE(named.outcome->failure);
  CHECK(named.text == "hi");
}

TEST_CASE("Messages: more than the bounds allow ends the call") {
  std::vector<std::string> blocks;
  for (int i = 0; i < 65; ++i) blocks.push_back(start_of({{"type", "text"}, {"text", ""}}, i));
  CHECK(failure_of(anthropic_events(blocks)).code == ErrorCode::upstream_protocol);
  blocks.pop_back();
  blocks.insert(blocks.end(), {text_of("kept", 63), text_of("lost", 64), finish_of("end_turn"), message_stop});
  const Recorder full = anthropic_events(blocks);
  CHECK(full.text == "kept");
  CHECK(failure_of(full).code == ErrorCode::upstream_protocol);
  const std::string half(600'000, 's');
  CHECK(failure_of(anthropic_events({start_of({{"type", "thinking"}, {"thinking", ""}}),
                                     delta_of({{"type", "signature_delta"}, {"signature", half}}),
                                     delta_of({{"type", "signature_delta"}, {"signature", half}}), message_stop}))
            .code == ErrorCode::upstream_protocol);
  // What open calls began with is held until their blocks end.
  std::vector<std::string> calls;
  for (int i = 0; i < 15; ++i) {
    calls.push_back(start_of({{"type", "tool_use"}, {"id", "t"}, {"name", "f"}, {"input", {{"a", half}}}}, i));
  }
  const Recorder held = anthropic_events(calls);
  CHECK(held.tools.size() == 13);
  CHECK(failure_of(held).message == "a part of the upstream's response is too large");
}
