// Every way an upstream can fail, and every end that is none.
#include <netinet/in.h>
#include <sys/socket.h>

#include "tests/upstream/chat/run.h"

using namespace tokenrelay;
using upstream::ErrorCode;
using upstream::FinishReason;
namespace script = support::script;
using namespace std::chrono_literals;
using script::finish_payload;
using script::text_payload;

namespace {

// A limit that has no part in a test: it is later than the end of the recorder's patience.
constexpr int64_t far_ms = 60'000;

support::Script refusal(int status, const support::Fields& more = {}) {
  return script::refusal(status, R"({"error":{"message":"words of the provider","type":"t","code":null}})", more);
}

std::string chunked(const std::string& payload) {
  return script::chunk(script::event(payload));
}

}  // namespace

TEST_CASE("refusals by status") {
  const std::tuple<int, ErrorCode, bool> cases[] = {
      {400, ErrorCode::upstream_bad_request, false}, {401, ErrorCode::upstream_auth, false},
      {402, ErrorCode::upstream_error, false},       {403, ErrorCode::upstream_auth, false},
      {404, ErrorCode::upstream_bad_request, false}, {408, ErrorCode::upstream_error, true},
      {413, ErrorCode::upstream_bad_request, false}, {422, ErrorCode::upstream_bad_request, false},
      {429, ErrorCode::upstream_rate_limited, true}, {500, ErrorCode::upstream_error, true},
      {502, ErrorCode::upstream_error, true},        {503, ErrorCode::upstream_overloaded, true},
      {504, ErrorCode::upstream_error, true},        {529, ErrorCode::upstream_overloaded, true},
      {302, ErrorCode::upstream_error, false},       {418, ErrorCode::upstream_error, false}};
  for (const auto& [status, code, retryable] : cases) {
    INFO(status);
    const Recorder got = openai_result(refusal(status, {{"Location", "http://127.0.0.1:1/elsewhere"}}));
    CHECK(code_of(got) == code);
    CHECK(got.outcome->failure->retryable == retryable);
    CHECK(got.outcome->failure->http_status == status);
    const std::string message = code == ErrorCode::upstream_auth ? "the upstream refused the relay's credential"
                                : status == 302 ? "the upstream answered with a redirect (status 302), which the relay "
                                                  "does not follow: set base_url to the address behind it"
                                                : "words of the provider";
    CHECK(got.outcome->failure->message == message);
    CHECK(got.first_bytes == 0);
  }
}

TEST_CASE("a 500 that is about the request is the client's, and is not asked again") {
  const auto result = [](int status, const std::string& error) {
    return *openai_result(script::refusal(status, R"({"error":)" + error + "}")).outcome->failure;
  };
  for (const char* error :
       {R"({"code":500,"message":"image input is not supported - hint: add mmproj","type":"server_error"})",
        R"({"message":"no such field","type":"invalid_request_error"})", R"({"message":"m","code":"BadRequestError"})",
        R"({"message":"This model does not support tools"})"}) {
    INFO(error);
    CHECK(result(500, error).code == ErrorCode::upstream_bad_request);
    CHECK_FALSE(result(500, error).retryable);
  }
  CHECK(result(502, R"({"message":"m","type":"invalid_request_error"})").code == ErrorCode::upstream_bad_request);
  CHECK(result(503, R"({"message":"not supported while it loads"})").retryable);
  CHECK(result(500, R"({"message":"boom","type":"server_error"})").retryable);
}

TEST_CASE("what a refusal says about another try") {
  const auto result = [](int status, const support::Fields& more) {
    return *openai_result(refusal(status, more)).outcome->failure;
  };
  CHECK_FALSE(result(503, {{"x-should-retry", "false"}}).retryable);
  CHECK_FALSE(result(400, {{"x-should-retry", "true"}}).retryable);
  CHECK(result(429, {{"Retry-After", "7"}}).retry_after_ms == 7000);
  CHECK(result(429, {{"retry-after", "7"}, {"Retry-After-Ms", "150"}}).retry_after_ms == 150);
  CHECK(result(429, {{"Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT"}}).retry_after_ms == 0);
  CHECK_FALSE(result(429, {{"Retry-After", "soon"}}).retry_after_ms);
  CHECK_FALSE(openai_result(script::refusal(429, R"({"error":{"message":"m","code":"insufficient_quota"}})"))
                  .outcome->failure->retryable);
}

TEST_CASE("bodies of refusals, in every shape, bounded") {
  const auto message = [](const std::string& body, const std::string& type = "application/json") {
    return openai_result(script::refusal(500, body, {}, type)).outcome->failure->message;
  };
  CHECK(message(R"({"object":"error","message":"old vLLM","code":500})") == "old vLLM");
  CHECK(message(R"({"error":"a string"})") == "a string");
  CHECK(message(R"({"detail":"FastAPI"})") == "FastAPI");
  CHECK(message(R"({"detail":[{"loc":["body"],"msg":"field required"}]})") == "field required");
  CHECK(message("upstream connect error\n", "text/plain") == "upstream connect error ");
  CHECK(message("<html>nginx</html>", "text/html") == "the upstream answered with status 500");
  CHECK(message("") == "the upstream answered with status 500");
  CHECK(message("your key is sk-test-secret", "text/plain") == "your key is ***");
  CHECK(message(std::string(10'000, 'x'), "text/plain") == std::string(500, 'x'));
}

TEST_CASE("an endless refusal is cut off") {
  OpenAiRun run;
  run.server.answer({script::send(script::head(500)), script::send_endless(script::chunk(std::string(1000, 'x')))});
  CHECK(code_of(run.run()) == ErrorCode::upstream_error);
  CHECK(run.server.wait_closed(0, 1s));
}

TEST_CASE("a server that refuses stream_options is asked once more without, and from then on") {
  OpenAiRun run;
  run.server.answer([](support::ModelServer::Call& call) {
    if (!call.request().contains("stream_options")) return call.play(script::text_stream({"fine"}));
    call.refuse(400, R"({"error":{"message":"Unrecognized request argument: stream_options"}})");
  });
  CHECK(run.run().text == "fine");
  CHECK(run.server.calls() == 2);
  Recorder second(run.loop);
  second.call = call_of(*run.provider, {"m", "[]", "", ""}, second);
  second.run_until_end();
  CHECK(second.text == "fine");
  CHECK(run.server.calls() == 3);
}

TEST_CASE("no connection") {
  OpenAiRun run;
  run.server.refuse_connections();
  CHECK(code_of(run.run()) == ErrorCode::upstream_unreachable);
  CHECK(run.recorder.outcome->failure->retryable);
  CHECK(run.recorder.outcome->failure->http_status == 0);
  CHECK(run.recorder.outcome->failure->message.find("127.0.0.1") == std::string::npos);
  for (const char* url :
       {"http://no-such-host.invalid/v1", "https://127.0.0.1:1/v1", "file:///etc/passwd", "ftp://x/", ""}) {
    INFO(url);
    OpenAiRun other;
    other.options.base_url = url;
    CHECK(code_of(other.run()) == ErrorCode::upstream_unreachable);
  }
}

TEST_CASE("a certificate that nobody vouches for, and TLS that is none, are no connection") {
  OpenAiRun run;
  run.server.answer(script::text_stream({"a"}));
  run.options.base_url = "https" + run.server.base_url().substr(4);
  CHECK(code_of(run.run()) == ErrorCode::upstream_unreachable);
}

TEST_CASE("a connection that nobody accepts times out") {
  // A full backlog: the kernel then drops every further SYN.
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0);
  REQUIRE(listen(listener, 0) == 0);
  getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
  int fillers[4];
  for (int& filler : fillers) {
    filler = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(filler, reinterpret_cast<sockaddr*>(&address), size);
  }
  OpenAiRun run;
  run.options.base_url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/v1";
  run.options.timeouts = {200, far_ms, far_ms, far_ms};
  CHECK(code_of(run.run()) == ErrorCode::upstream_unreachable);
  CHECK(run.recorder.elapsed_ms() >= 190);
  for (const int filler : fillers) close(filler);
  close(listener);
}

TEST_CASE("silence before the first byte, and between bytes") {
  OpenAiRun run;
  run.options.timeouts = {far_ms, 200, 300, far_ms};
  SECTION("no head") {
    run.server.answer(script::silent());
  }
  SECTION("a head and no body") {
    run.server.answer({script::send(script::head()), script::stall()});
  }
  SECTION("a body that stops") {
    run.server.answer({script::send(script::head() + chunked(text_payload("a"))), script::stall()});
  }
  CHECK(code_of(run.run()) == ErrorCode::upstream_timeout);
  CHECK(run.recorder.outcome->failure->retryable);
  CHECK(run.recorder.elapsed_ms() >= 195);
  CHECK(run.server.wait_closed(0, 1s));
}

TEST_CASE("any byte is a sign of life") {
  OpenAiRun run;
  run.options.timeouts.idle_ms = 250;
  support::Script steps = {script::send(script::head())};
  for (int i = 0; i < 8; ++i) {
    steps.push_back(script::send(script::chunk(": ping\n")));
    steps.push_back(script::pause(100));
  }
  for (const auto& step : script::text_stream({"late"})) steps.push_back(step);
  steps[steps.size() - 3].bytes.erase(0, script::head().size());
  run.server.answer(steps);
  CHECK(run.run().text == "late");
  CHECK_FALSE(run.recorder.outcome->failure);
}

TEST_CASE("ends without an end mark are upstream_truncated") {
  for (const auto& how : {script::close(), script::cut()}) {
    const Recorder some = openai_result(script::truncated({"a", "b"}, how));
    CHECK(code_of(some) == ErrorCode::upstream_truncated);
    CHECK(some.text == "ab");
    CHECK(code_of(openai_result({how})) == ErrorCode::upstream_truncated);
    CHECK(code_of(openai_result({script::send(script::head()), script::pause(20), how})) ==
          ErrorCode::upstream_truncated);
  }
  CHECK(code_of(openai_chunks({text_payload("a")}, false)) == ErrorCode::upstream_truncated);
  CHECK(code_of(openai_result(script::raw_stream(""))) == ErrorCode::upstream_truncated);
  const std::string until_close = script::head(200, "text/event-stream", script::Framing::until_close);
  CHECK(code_of(openai_result({script::send(until_close + script::event(text_payload("a"))), script::close()})) ==
        ErrorCode::upstream_truncated);
}

TEST_CASE("what is not HTTP is a protocol error") {
  CHECK(code_of(openai_result({script::send("SSH-2.0-OpenSSH_9.2\r\n"), script::close()})) ==
        ErrorCode::upstream_protocol);
}

TEST_CASE("end marks") {
  const std::string until_close = script::head(200, "text/event-stream", script::Framing::until_close);
  const std::string text = script::event(text_payload("a")), finish = script::event(finish_payload("length"));
  SECTION("finish_reason, then a clean end") {
    CHECK_FALSE(openai_chunks({text_payload("a"), finish_payload()}, false).outcome->failure);
  }
  SECTION("finish_reason, then a close that ends the body") {
    CHECK_FALSE(openai_result({script::send(until_close + text + finish), script::close()}).outcome->failure);
  }
  SECTION("finish_reason, then a cut: the model had said why it stopped") {
    for (const auto& how : {script::close(), script::cut()}) {
      const Recorder got =
          openai_result({script::send(script::head() + script::chunk(text + finish)), script::pause(20), how});
      CHECK_FALSE(got.outcome->failure);
      CHECK(got.outcome->finish_reason == FinishReason::length);
    }
  }
  SECTION("[DONE] without a reason is a truncation") {
    CHECK(code_of(openai_chunks({text_payload("a")})) == ErrorCode::upstream_truncated);
  }
  SECTION("an unterminated [DONE], by a clean end or a cut") {
    const std::string end = text + finish + "data: [DONE]";
    CHECK_FALSE(openai_result(script::raw_stream(end)).outcome->failure);
    CHECK_FALSE(
        openai_result({script::send(script::head() + script::chunk(end + "\n")), script::pause(20), script::cut()})
            .outcome->failure);
  }
  SECTION("content after the reason: only the end of the body counts then") {
    OpenAiRun run;
    run.options.timeouts = {far_ms, far_ms, 900, 100};
    run.server.answer({script::send(script::head() + script::chunk(text + finish + text + finish)), script::stall()});
    CHECK_FALSE(run.run().outcome->failure);
    CHECK(run.recorder.text == "aa");
    CHECK(run.recorder.elapsed_ms() >= 800);
  }
  SECTION("a reason before any content is none yet, a later one is") {
    OpenAiRun run;
    run.options.timeouts = {far_ms, far_ms, far_ms, 100};
    run.server.answer({script::send(script::head() + script::chunk(finish + text + finish)), script::stall()});
    CHECK_FALSE(run.run().outcome->failure);
    CHECK(run.recorder.text == "a");
  }
  SECTION("nothing at all, and a reason that explains it or does not") {
    CHECK(code_of(openai_chunks({finish_payload("stop")})) == ErrorCode::upstream_empty);
    CHECK_FALSE(openai_chunks({finish_payload("length")}).outcome->failure);
    CHECK_FALSE(openai_chunks({finish_payload("stop"), script::usage_payload(3, 2)}).outcome->failure);
  }
  SECTION("a reason that is an error") {
    const Recorder got = openai_chunks({text_payload("a"), finish_payload("network_error")});
    CHECK(code_of(got) == ErrorCode::upstream_error);
    CHECK(got.text == "a");
  }
  SECTION("an unterminated finish chunk") {
    CHECK_FALSE(openai_result(script::raw_stream(text + finish.substr(0, finish.size() - 2))).outcome->failure);
    CHECK(code_of(openai_result(script::raw_stream(text + finish.substr(0, finish.size() - 9)))) ==
          ErrorCode::upstream_truncated);
  }
  SECTION("neither [DONE] nor an end: completed after end_of_body_ms") {
    OpenAiRun run;
    run.options.timeouts = {far_ms, far_ms, far_ms, 300};
    run.server.answer({script::send(script::head() + script::chunk(text + finish)), script::stall()});
    CHECK_FALSE(run.run().outcome->failure);
    CHECK(run.recorder.elapsed_ms() >= 290);
  }
  SECTION("the usage chunk after the finish chunk is waited for") {
    const Recorder got =
        openai_result({script::send(script::head() + script::chunk(text + finish)), script::pause(100),
                       script::send(script::chunk(script::event(script::usage_payload(4, 5)))), script::stall()});
    CHECK(got.outcome->usage.output_tokens == 5u);
  }
}

TEST_CASE("[DONE] ends the call at once, though the body goes on") {
  OpenAiRun run;
  run.options.timeouts = {far_ms, far_ms, far_ms, far_ms};
  run.server.answer({script::send(script::head() + chunked(text_payload("a")) + chunked(finish_payload()) +
                                  script::chunk(script::done)),
                     script::stall()});
  run.run();
  CHECK_FALSE(run.recorder.outcome->failure);
  // The connection is not kept for it. It needs the loop once more.
  transport::Timer later(run.loop.timers(), [&] { run.loop.stop(); });
  later.arm(100);
  run.loop.run();
  CHECK(run.server.wait_closed(0, 1s));
}

TEST_CASE("an event over the limit fails the call and nothing else") {
  OpenAiRun run;
  run.options.max_event_bytes = 100'000;
  run.server.answer({script::send(script::head() + chunked(text_payload(std::string(90'000, 'x')))),
                     script::send_endless(script::chunk(std::string(1000, 'x')))});
  CHECK(code_of(run.run()) == ErrorCode::upstream_protocol);
  CHECK(run.recorder.text.size() == 90'000);
  CHECK(run.server.wait_closed(0, 1s));
}

TEST_CASE("an event of nearly 8 MiB passes, a larger one does not") {
  const size_t limit = 8u << 20;
  CHECK(openai_chunks({text_payload(std::string(limit - 1000, 'x')), finish_payload()}).text.size() == limit - 1000);
  CHECK(code_of(openai_chunks({text_payload(std::string(limit, 'x')), finish_payload()})) ==
        ErrorCode::upstream_protocol);
}

TEST_CASE("a JSON answer over the limit fails") {
  OpenAiRun run;
  run.options.max_event_bytes = 10'000;
  run.server.answer({script::send(script::head(200, "application/json")), script::send(script::chunk("{\"a\":\"")),
                     script::send_endless(script::chunk(std::string(1000, 'x')))});
  CHECK(code_of(run.run()) == ErrorCode::upstream_protocol);
}

TEST_CASE("an upstream that sends only comments is left after a while", "[openai_chat]") {
  const std::string idle = GENERATE(": still here\n\n", "data:\n\nevent: ping\n\n", "\n", " ");
  OpenAiRun run;
  run.options.max_event_bytes = 4096;
  run.server.answer([&](support::ModelServer::Call& call) {
    if (idle.size() > 1) call.text("before ");
    while (call.send(idle)) {
    }
  });
  const upstream::Error failure = failure_of(run.run());
  CHECK(failure.code == ErrorCode::upstream_protocol);
  CHECK(failure.message == "the upstream sends only comments or white space");
  CHECK(run.recorder.text == (idle.size() > 1 ? "before " : ""));
}

TEST_CASE("an upstream that sends only empty chunks is left after a while", "[openai_chat]") {
  OpenAiRun run;
  run.server.answer([&](support::ModelServer::Call& call) {
    call.text("before ");
    std::string many;
    for (int i = 0; i < 1000; ++i) many += script::event(R"({"choices":[{"index":0,"delta":{}}]})");
    while (call.send(many)) {
    }
  });
  const upstream::Error failure = failure_of(run.run());
  CHECK(failure.code == ErrorCode::upstream_protocol);
  CHECK(failure.message == "the upstream sends only events that say nothing");
  CHECK(run.recorder.text == "before ");
}

TEST_CASE("comments between events may go on for ever", "[openai_chat]") {
  OpenAiRun run;
  run.options.max_event_bytes = 4096;
  run.server.answer([&](support::ModelServer::Call& call) {
    for (int i = 0; i < 8; ++i) call.send(": " + std::string(3000, '.') + "\n\n"), call.text("x");
    call.finish();
  });
  CHECK(run.run().text == "xxxxxxxx");
  CHECK_FALSE(run.recorder.outcome->failure);
}

TEST_CASE("more tool calls, or more that is held of them, than the bounds allow fail the answer") {
  const auto call = [](int index, const std::string& members) {
    return script::delta_payload(R"({"tool_calls":[{"index":)" + std::to_string(index) + "," + members + "}]}");
  };
  const auto refused = [](const std::vector<std::string>& payloads) {
    const Recorder got = openai_chunks(payloads);
    CHECK(code_of(got) == ErrorCode::upstream_protocol);
    CHECK(got.outcome->failure->message == "a part of the upstream's response is too large");
    return got.tools.size();
  };
  std::vector<std::string> calls;
  for (int i = 0; i <= 1024; ++i)
    calls.push_back(call(i, R"("id":"c","function":{"name":"f","arguments":"{\"a\":1}"})"));
  CHECK(refused(calls) == 1024);
  const std::string long_id(100'000, 'i'), much(1'000'000, '1');
  std::vector<std::string> ids, arguments;
  for (int i = 0; i < 90; ++i) ids.push_back(call(i, R"("id":")" + std::to_string(i) + long_id + R"(","function":{})"));
  for (int i = 0; i < 9; ++i) arguments.push_back(call(i % 3, R"("function":{"arguments":")" + much + R"("})"));
  CHECK(refused(ids) == 0);
  CHECK(refused(arguments) == 0);
}
