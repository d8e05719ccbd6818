// What Chat Completions servers say, one peculiarity at a time (DIALECTS.md, Chat Completions).
#include <nlohmann/json.hpp>

#include "service/json/utf8.h"
#include "tests/upstream/chat/run.h"

using namespace tokenrelay;
using Json = nlohmann::json;
using upstream::ErrorCode;
using upstream::FinishReason;
namespace script = support::script;
using script::delta_payload;
using script::finish_payload;
using script::text_payload;

namespace {

const std::string fffd = "\xEF\xBF\xBD";

std::string tool(const std::string& call) {
  return delta_payload("{\"tool_calls\":[" + call + "]}");
}

Recorder whole_tools(const std::vector<std::string>& calls, const char* finish = "tool_calls") {
  std::vector<std::string> payloads;
  for (const std::string& call : calls) payloads.push_back(tool(call));
  payloads.push_back(finish_payload(finish));
  Recorder recorder = openai_chunks(payloads);
  CHECK_FALSE(recorder.outcome->failure);
  CHECK(recorder.outcome->finish_reason == FinishReason::tool_calls);
  return recorder;
}

}  // namespace

TEST_CASE("the request is what a Chat Completions server expects") {
  OpenAiRun run;
  run.options.base_url += "/";
  run.options.headers = {{"X-Extra", "yes"}, {"X-Bad", "a\r\nInjected: b"}};
  run.server.answer(script::text_stream({"a"}));
  run.run(run.asking(
      R"({"temperature":0.5,"tools":[{"x":"\u00e9"}],"stream":false,"n":4,"model":"other","stream_options":1})"));
  const auto request = run.server.call(0);
  CHECK(request.head.substr(0, request.head.find('\r')) == "POST /v1/chat/completions HTTP/1.1");
  for (const char* line : {"Authorization: Bearer sk-test-secret\r\n", "Content-Type: application/json\r\n",
                           "Accept: text/event-stream\r\n", "Accept-Encoding: identity\r\n", "X-Request-Id: req_1\r\n",
                           "Request-Id: req_1\r\n", "X-Extra: yes\r\n"}) {
    INFO(line);
    CHECK(request.head.find(line) != std::string::npos);
  }
  CHECK(request.head.find("Injected") == std::string::npos);
  CHECK(request.head.find("Expect") == std::string::npos);
  CHECK(Json::parse(request.body) == Json{{"model", "m"},
                                          {"messages", {{{"role", "user"}, {"content", "hi"}}}},
                                          {"temperature", 0.5},
                                          {"tools", {{{"x", "é"}}}},
                                          {"stream", true},
                                          {"stream_options", {{"include_usage", true}}}});
  CHECK(run.recorder.first_bytes == 1);
}

TEST_CASE("without a key no credential is sent") {
  OpenAiRun run;
  run.options.api_key.clear();
  run.server.answer(script::text_stream({"a"}));
  run.run();
  CHECK(run.server.call(0).head.find("uthorization") == std::string::npos);
}

TEST_CASE("text: role-only first chunk, refusals, finish reasons, usage wherever it comes") {
  const Recorder plain = openai_result(script::text_stream({"Hel", "lo"}));
  CHECK(plain.deltas == std::vector<std::string>{"Hel", "lo"});
  CHECK(plain.outcome->finish_reason == FinishReason::stop);
  CHECK(plain.outcome->usage.input_tokens == 3u);
  CHECK(plain.outcome->usage.output_tokens == 2u);

  CHECK(openai_chunks({delta_payload(R"({"content":null,"refusal":"I can"})"), delta_payload(R"({"refusal":"not"})"),
                       finish_payload()})
            .text == "I cannot");

  const std::pair<const char*, FinishReason> known[] = {{"stop", FinishReason::stop},
                                                        {"length", FinishReason::length},
                                                        {"tool_calls", FinishReason::tool_calls},
                                                        {"function_call", FinishReason::tool_calls},
                                                        {"content_filter", FinishReason::content_filter},
                                                        {"sensitive", FinishReason::content_filter},
                                                        {"eos", FinishReason::stop},
                                                        {"model_context_window_exceeded", FinishReason::length},
                                                        {"repetition", FinishReason::other}};
  for (const auto& [raw, reason] : known) {
    const Recorder got = openai_chunks({text_payload("x"), finish_payload(raw)});
    CHECK(got.outcome->finish_reason == reason);
    CHECK(got.outcome->finish_reason_raw == (reason == FinishReason::other ? raw : ""));
  }
  std::string odd(99, 'x');
  for (int i = 0; i < 9; ++i) odd += "é";
  CHECK(openai_chunks({finish_payload(odd)}).outcome->finish_reason_raw == std::string(99, 'x'));
  const Recorder with_usage = openai_chunks(
      {text_payload("x"),
       R"({"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"prompt_tokens_details":)"
       R"({"audio_tokens":1,"cached_tokens":3,"cache_write_tokens":2},"completion_tokens":9,"completion_tokens_details":)"
       R"({"reasoning_tokens":4,"audio_tokens":5},"total_tokens":16}})"});
  CHECK(with_usage.outcome->usage.input_tokens == 7u);
  CHECK(with_usage.outcome->usage.output_tokens == 9u);
  CHECK(with_usage.outcome->usage.cached_tokens == 3u);
  CHECK(with_usage.outcome->usage.cache_write_tokens == 2u);
  CHECK(with_usage.outcome->usage.audio_input_tokens == 1u);
  CHECK(with_usage.outcome->usage.reasoning_tokens == 4u);
  CHECK(with_usage.outcome->usage.audio_output_tokens == 5u);
  const auto cached_by = [](const std::string& usage) {
    return openai_chunks({text_payload("x"), finish_payload(), R"({"choices":[],"usage":)" + usage + "}"})
        .outcome->usage;
  };
  CHECK(cached_by(R"({"prompt_tokens":9,"completion_tokens":1,"prompt_cache_hit_tokens":8})").cached_tokens == 8u);
  CHECK(cached_by(R"({"prompt_tokens":9,"completion_tokens":1,"prompt_tokens_details":{"cache_creation_tokens":7}})")
            .cache_write_tokens == 7u);
  const auto stopped_by = [](const std::string& members) {
    return openai_chunks({text_payload("x"), R"({"choices":[{"index":0,"delta":{},)" + members + "}]}"})
        .outcome->stop_sequence;
  };
  CHECK(stopped_by(R"("finish_reason":"stop","stop_reason":"END")") == "END");   // vLLM
  CHECK(stopped_by(R"("matched_stop":"END","finish_reason":"stop")") == "END");  // SGLang
  CHECK(stopped_by(R"("finish_reason":"stop","stop_reason":128009)").empty());   // a token, not a text
  CHECK(stopped_by(R"("finish_reason":"length","stop_reason":"END")").empty());
  const Recorder without = openai_chunks({text_payload("x"), R"({"choices":[],"usage":null})", finish_payload()});
  CHECK_FALSE(without.outcome->usage.input_tokens);
}

TEST_CASE("an empty finish_reason, and the word null, are none") {
  const std::string odd = R"({"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":""}]})";
  CHECK(code_of(openai_chunks({odd, odd}, false)) == ErrorCode::upstream_truncated);
  const Recorder real = openai_chunks(
      {R"({"choices":[{"index":0,"delta":{"role":"assistant"},"finish_reason":""}]})", odd, finish_payload("stop")});
  CHECK(real.outcome->finish_reason == FinishReason::stop);
  for (const std::string word : {"", "null"}) {
    const std::string last = R"({"choices":[{"index":0,"delta":{},"finish_reason":")" + word + "\"}]}";
    CHECK(code_of(openai_chunks({text_payload("x"), last})) == ErrorCode::upstream_truncated);
  }
}

TEST_CASE("a reason that names a failure is one, by whatever word; a last stop takes none back") {
  for (const char* word : {"error", "ERROR", "network_error", "failed", "timeout", "internal_error", "abort",
                           "cancelled", "insufficient_system_resource"}) {
    INFO(word);
    const Recorder got = openai_chunks({text_payload("half"), finish_payload(word)});
    CHECK(got.text == "half");
    CHECK(code_of(got) == ErrorCode::upstream_error);
    CHECK(got.outcome->failure->message == "the upstream stopped with the reason " + std::string(word));
  }
  const auto ends_as = [](const char* first, const char* second) {
    const Recorder got = openai_chunks({text_payload("x"), finish_payload(first), finish_payload(second)});
    return got.outcome->failure ? FinishReason::other : got.outcome->finish_reason;
  };
  CHECK(ends_as("length", "stop") == FinishReason::length);
  CHECK(ends_as("content_filter", "stop") == FinishReason::content_filter);
  CHECK(ends_as("stop", "length") == FinishReason::length);
  CHECK(ends_as("timeout", "stop") == FinishReason::other);
  CHECK(openai_chunks({text_payload("x"), finish_payload("length"), text_payload("y"), finish_payload("stop")})
            .outcome->finish_reason == FinishReason::stop);
}

TEST_CASE("reasoning under every name it has") {
  for (const char* name : {"reasoning_content", "reasoning"}) {
    const Recorder got =
        openai_chunks({delta_payload("{\"content\":null,\"" + std::string(name) + "\":\"hm \"}"),
                       delta_payload("{\"" + std::string(name) + "\":\"so\",\"content\":\"\"}"),
                       delta_payload("{\"content\":\"Yes\",\"" + std::string(name) + "\":null}"), finish_payload()});
    CHECK(got.reasoning == "hm so");
    CHECK(got.text == "Yes");
  }
  CHECK(openai_chunks({delta_payload(R"({"reasoning":"twice","reasoning_content":"twice"})"), finish_payload()})
            .reasoning == "twice");
  const Recorder mistral = openai_chunks(
      {delta_payload(
           R"({"content":[{"type":"thinking","thinking":[{"type":"text","text":"let me "},{"type":"text","text":"see"}]}]})"),
       delta_payload(R"({"content":[{"type":"text","text":"42"},{"type":"reference","reference_ids":[1]}]})"),
       delta_payload(R"({"content":"."})"), finish_payload()});
  CHECK(mistral.reasoning == "let me see");
  CHECK(mistral.text == "42.");
}

TEST_CASE("tool calls in every way they are sent") {
  SECTION("OpenAI: by index, interleaved") {
    const Recorder got =
        whole_tools({R"({"index":0,"id":"a","type":"function","function":{"name":"f","arguments":""}})",
                     R"({"index":1,"id":"b","type":"function","function":{"name":"g","arguments":""}})",
                     R"({"index":0,"function":{"arguments":"{\"x\":"}})",
                     R"({"index":1,"function":{"arguments":"{}"}})", R"({"index":0,"function":{"arguments":"1}"}})"});
    REQUIRE(got.tools.size() == 2);
    CHECK(got.tools[0].id == "a");
    CHECK(got.tools[0].name == "f");
    CHECK(got.tools[0].arguments == "{\"x\":1}");
    CHECK(got.tools[0].pieces == 3);
    CHECK(got.tools[1].arguments == "{}");
  }
  SECTION("Mistral: the name repeated empty, the id too") {
    const Recorder got = whole_tools({R"({"index":0,"id":"a","function":{"name":"f","arguments":"{"}})",
                                      R"({"index":0,"id":"null","function":{"name":"","arguments":"}"}})"});
    REQUIRE(got.tools.size() == 1);
    CHECK(got.tools[0].arguments == "{}");
  }
  SECTION("Google: no index, whole calls") {
    const Recorder got = whole_tools({R"({"id":"a","function":{"name":"f","arguments":"{}"}})",
                                      R"({"id":"b","function":{"name":"f","arguments":"[]"}})"},
                                     "stop");
    REQUIRE(got.tools.size() == 2);
    CHECK(got.tools[1].arguments == "[]");
  }
  SECTION("every call numbered 0") {
    const Recorder got = whole_tools({R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})",
                                      R"({"index":0,"id":"b","function":{"name":"g","arguments":"{}"}})"});
    REQUIRE(got.tools.size() == 2);
    CHECK(got.tools[1].name == "g");
  }
  SECTION("the name later than the arguments") {
    const Recorder got =
        whole_tools({R"({"index":0,"id":"a","function":{"arguments":"{\"é"}})",
                     R"({"index":0,"function":{"name":"f"}})", R"({"index":0,"function":{"arguments":"\":1}"}})"});
    REQUIRE(got.tools.size() == 1);
    CHECK(got.tools[0].name == "f");
    CHECK(got.tools[0].arguments == "{\"é\":1}");
  }
  SECTION("never a name: no call, and a failure") {
    const Recorder got =
        openai_chunks({tool(R"({"index":3,"function":{"arguments":"{}"}})"), finish_payload("tool_calls")});
    CHECK(got.tools.empty());
    CHECK(code_of(got) == ErrorCode::upstream_protocol);
  }
  SECTION("braces before the arguments, and braces that are all of them") {
    const Recorder got = whole_tools({R"({"index":0,"id":"a","function":{"name":"f","arguments":"{}"}})",
                                      R"({"index":0,"function":{"arguments":"{\"x\":"}})",
                                      R"({"index":0,"function":{"arguments":"1}"}})",
                                      R"({"index":1,"id":"b","function":{"name":"g","arguments":{}}})",
                                      R"({"index":2,"id":"c","function":{"name":"h","arguments":"[1]"}})"});
    REQUIRE(got.tools.size() == 3);
    CHECK(got.tools[0].arguments == "{\"x\":1}");
    CHECK(got.tools[1].name == "g");
    CHECK(got.tools[1].arguments == "{}");
    CHECK(got.tools[2].arguments == "[1]");
  }
  SECTION("braces that come alone are told at once") {
    OpenAiRun run;
    run.server.answer([&](support::ModelServer::Call& call) {
      call.send(script::event(tool(R"({"index":0,"id":"a","function":{"name":"f","arguments":""}})")));
      call.send(script::event(tool(R"({"index":0,"function":{"arguments":"{}"}})")));
      call.wait_closed(std::chrono::seconds(10));
    });
    run.options.timeouts.idle_ms = 500;
    CHECK(run.run().tools.at(0).pieces == 2);
  }
  SECTION("several calls of one tool without ids, the name alone before the arguments") {
    const Recorder got = whole_tools({R"({"index":0,"function":{"name":"f","arguments":"{\"x\":1}"}})",
                                      R"({"index":0,"function":{"name":"f","arguments":""}})",
                                      R"({"index":0,"function":{"arguments":"{\"x\":2}"}})"});
    REQUIRE(got.tools.size() == 2);
    CHECK(got.tools[0].arguments == "{\"x\":1}");
    CHECK(got.tools[1].name == "f");
    CHECK(got.tools[1].arguments == "{\"x\":2}");
  }
  SECTION("arguments as an object") {
    CHECK(whole_tools({R"({"index":0,"id":"a","function":{"name":"f","arguments":{"x": 1}}})"}).tools.at(0).arguments ==
          "{\"x\": 1}");
  }
  SECTION("the legacy function_call") {
    const Recorder got =
        openai_chunks({delta_payload(R"({"function_call":{"name":"f","arguments":"{"}})"),
                       delta_payload(R"({"function_call":{"arguments":"}"}})"), finish_payload("function_call")});
    CHECK(got.tools.at(0).name == "f");
    CHECK(got.tools.at(0).arguments == "{}");
    CHECK(got.outcome->finish_reason == FinishReason::tool_calls);
  }
  SECTION("cut by the limit: that stays what it is") {
    const Recorder got = openai_chunks(
        {tool(R"({"index":0,"id":"a","function":{"name":"f","arguments":"{"}})"), finish_payload("length")});
    CHECK(got.outcome->finish_reason == FinishReason::length);
  }
}

TEST_CASE("characters cut between deltas come out whole") {
  const Recorder halves =
      openai_chunks({delta_payload(R"({"content":"a\ud83d"})"), delta_payload(R"({"content":"\ude00b"})"),
                     delta_payload(R"({"reasoning":"\ud83d"})"), delta_payload(R"({"content":"\ud83d"})"),
                     delta_payload(R"({"reasoning":"\ude01"})"), finish_payload()});
  CHECK(halves.text ==
        "a\xF0\x9F\x98\x80"
        "b" +
            fffd);
  CHECK(halves.reasoning == "\xF0\x9F\x98\x81");
  for (const std::string& delta : halves.deltas) CHECK(json::valid_utf8(delta));
  CHECK(openai_chunks(
            {delta_payload("{\"content\":\"x\xE2\x82\"}"), delta_payload("{\"content\":\"\xACy\"}"), finish_payload()})
            .text == "x\xE2\x82\xACy");
  const Recorder arguments = whole_tools({R"({"index":0,"id":"a","function":{"name":"f","arguments":"\"\ud83d"}})",
                                          R"({"index":0,"function":{"arguments":"\ude00\""}})"});
  CHECK(arguments.tools.at(0).arguments == "\"\xF0\x9F\x98\x80\"");
}

TEST_CASE("several choices: the first that says something speaks, all must finish") {
  const std::string both =
      R"({"choices":[{"delta":{"content":"yes"},"index":0,"finish_reason":"stop"},{"index":1,"delta":{"content":"no"},"finish_reason":null}]})";
  CHECK(code_of(openai_chunks({both}, false)) == ErrorCode::upstream_truncated);
  const Recorder got = openai_chunks({both, R"({"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]})"}, false);
  CHECK_FALSE(got.outcome->failure);
  CHECK(got.text == "yes");
}

TEST_CASE("a piece of another choice between two of the first loses neither of them") {
  const auto piece = [](int choice, const char* text) {
    return R"({"choices":[{"index":)" + std::to_string(choice) + R"(,"delta":{"content":")" + text + R"("}}]})";
  };
  const auto ends = [](int choice) {
    return R"({"choices":[{"index":)" + std::to_string(choice) + R"(,"delta":{},"finish_reason":"stop"}]})";
  };
  CHECK(openai_chunks({piece(0, "a"), piece(0, "b"), piece(1, "other"), piece(0, "c"), piece(0, "d"), ends(0), ends(1)})
            .text == "abcd");
  CHECK(openai_chunks({piece(1, "a"), piece(1, "b"), piece(0, "other"), piece(1, "c"), ends(0), ends(1)}).text ==
        "abc");
}

TEST_CASE("errors in the stream, in every form") {
  const std::tuple<const char*, ErrorCode, bool, const char*> cases[] = {
      {R"({"message":"boom","type":"server_error","param":null,"code":null})", ErrorCode::upstream_error, true, "boom"},
      {R"({"message":"bad","type":"BadRequestError","param":null,"code":400})", ErrorCode::upstream_bad_request, false,
       "bad"},
      {R"({"message":"slow down","type":null,"code":"429"})", ErrorCode::upstream_rate_limited, true, "slow down"},
      {R"({"message":"spent","type":"insufficient_quota","code":"insufficient_quota"})",
       ErrorCode::upstream_rate_limited, false, "spent"},
      {R"({"code":502,"message":"provider gone"})", ErrorCode::upstream_error, true, "provider gone"},
      {R"({"message":"busy","type":"overloaded_error"})", ErrorCode::upstream_overloaded, true, "busy"},
      {R"({"message":"key sk-test-secret","code":"invalid_api_key"})", ErrorCode::upstream_auth, false,
       "the upstream refused the relay's credential"},
      {R"({"message":"saw sk-test-secret\nhere"})", ErrorCode::upstream_error, false, "saw *** here"},
      {R"("just words")", ErrorCode::upstream_error, false, "just words"},
      {"500", ErrorCode::upstream_error, true, "the upstream reported an error"},
  };
  for (const auto& [error, code, retryable, message] : cases) {
    INFO(error);
    const Recorder got = openai_result(script::in_stream_error({"so far"}, error));
    CHECK(got.text == "so far");
    CHECK(code_of(got) == code);
    CHECK(got.outcome->failure->retryable == retryable);
    CHECK(got.outcome->failure->message == message);
    CHECK(got.outcome->failure->http_status == 200);
  }
  for (const char* inside : {R"({"choices":[{"index":0,"delta":{"content":"b","error":{"message":"boom"}}}]})",
                             R"({"choices":[{"index":0,"message":{"content":"ab","error":{"message":"boom"}}}]})",
                             R"({"detail":"boom"})", R"({"detail":[{"loc":["body"],"msg":"boom"}]})"}) {
    INFO(inside);
    const Recorder got = openai_chunks({text_payload("a"), inside, finish_payload()});
    CHECK(code_of(got) == ErrorCode::upstream_error);
    CHECK(got.outcome->failure->message == "boom");
  }
  CHECK_FALSE(openai_chunks({R"({"choices":[{"index":0,"delta":{"content":"x","error":null}}]})", finish_payload()})
                  .outcome->failure);
  CHECK_FALSE(openai_chunks({R"({"choices":[],"error":null})", text_payload("x"), finish_payload()}).outcome->failure);
  const Recorder open_router = openai_chunks(
      {text_payload("a"),
       R"({"error":{"code":"server_error","message":"dead"},"choices":[{"index":0,"delta":{"content":"b"},"finish_reason":"error"}]})"});
  CHECK(code_of(open_router) == ErrorCode::upstream_error);
  CHECK(open_router.text == "ab");
  CHECK(code_of(openai_chunks({R"({"object":"error","message":"old","type":"BadRequestError","code":400})"})) ==
        ErrorCode::upstream_bad_request);
  const Recorder llama = openai_result(
      script::raw_stream(script::event(text_payload("a")) +
                         "error: {\"code\":503,\"message\":\"loading\",\"type\":\"unavailable_error\"}\n\n"));
  CHECK(code_of(llama) == ErrorCode::upstream_overloaded);
  CHECK(llama.outcome->failure->message == "loading");
  CHECK(code_of(openai_result(script::raw_stream("event: error\ndata: {\"message\":\"named\"}\n\n"))) ==
        ErrorCode::upstream_error);
  const Recorder long_words =
      openai_result(script::in_stream_error({}, "\"" + std::string(499, 'x') + "\u20ac\u20ac\""));
  CHECK(long_words.outcome->failure->message == std::string(499, 'x'));
}

TEST_CASE("an answer that is no stream") {
  const auto document = [](const std::string& body, const std::string& type = "application/json") {
    return openai_result({script::send(script::head(200, type) + script::chunk(body) + script::last_chunk)});
  };
  const Recorder whole = document(
      R"({"id":"x","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"All at once","refusal":null,
          "tool_calls":[{"id":"a","type":"function","function":{"name":"f","arguments":"{}"}}]},"finish_reason":"tool_calls"}],
          "usage":{"prompt_tokens":5,"completion_tokens":6}})");
  CHECK_FALSE(whole.outcome->failure);
  CHECK(whole.text == "All at once");
  CHECK(whole.tools.at(0).name == "f");
  CHECK(whole.outcome->finish_reason == FinishReason::tool_calls);
  CHECK(whole.outcome->usage.output_tokens == 6u);
  CHECK(code_of(document(R"({"error":{"code":401,"message":"no","type":"authentication_error"}})")) ==
        ErrorCode::upstream_auth);
  CHECK(code_of(document(R"({"hello":1})")) == ErrorCode::upstream_protocol);
  CHECK(code_of(document("{\"a\":1}\n{\"a\":2}\n")) == ErrorCode::upstream_protocol);
  CHECK(code_of(document(" \r\n<!doctype html><html>", "text/event-stream")) == ErrorCode::upstream_protocol);
  CHECK(code_of(document("ok", "text/plain")) == ErrorCode::upstream_protocol);
  // An event stream whose type lies.
  CHECK(document(script::event(text_payload("fine")) + script::event(finish_payload()) + script::done).text == "fine");
}

TEST_CASE("framing: comments, CRLF, BOM, split data, payloads that are no JSON") {
  const std::string crlf = "\xEF\xBB\xBF: OPENROUTER PROCESSING\r\n\r\ndata:" + text_payload("a") +
                           "\r\n\r\ndata:\r\n\r\n: hb\r\ndata: " + finish_payload() + "\r\n\r\ndata:  [DONE] \r\n\r\n";
  CHECK(openai_result(script::raw_stream(crlf)).text == "a");
  std::string cr = crlf;
  cr.erase(std::remove(cr.begin(), cr.end(), '\n'), cr.end());
  CHECK(openai_result(script::raw_stream(cr)).text == "a");
  const Recorder junk = openai_chunks({text_payload("a"), "upstream connect error", text_payload("b")});
  CHECK(code_of(junk) == ErrorCode::upstream_protocol);
  CHECK(junk.text == "a");
  CHECK(openai_chunks({"null", text_payload("a"), "[1]", "7", finish_payload()}).text == "a");
  CHECK(code_of(openai_chunks({text_payload("x") + "}"})) == ErrorCode::upstream_protocol);
  CHECK(code_of(openai_chunks({std::string(100'000, '[')})) == ErrorCode::upstream_protocol);
}
