// Upstream faults: whatever it does, the stream ends in exactly one `done` with a code that says what happened.
#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;
using Call = ModelServer::Call;

Transcript finish(Relay& relay, const std::string& prompt = "p", Deadline deadline = 60s) {
  SseConnection reader(relay.port(), events_request(relay.create({{"prompt", prompt}})));
  const auto all = transcript_of(reader.rest(deadline));
  CHECK(reader.problems() == Strings{});
  CHECK(reader.end() == BodyEnd::clean);
  CHECK(all.dones == 1);
  REQUIRE(all.done);
  return all;
}

void check_failed(const Transcript& all, const std::string& code) {
  INFO(all.done->dump());
  CHECK(all.done->at("status") == "failed");
  CHECK(all.done->at("finish_reason").is_null());
  const Json error = all.done->at("error");
  CHECK(error.at("code") == code);
  CHECK(error.at("message").is_string());
  CHECK_FALSE(error.at("message").get<std::string>().empty());
  CHECK(error.at("retryable").is_boolean());
  const std::string source = all.done->at("usage").at("source");
  CHECK((source == "estimated" || source == "unknown" || source == "provider"));
  if (source == "unknown") CHECK(all.done->at("usage").value("output_tokens", Json()).is_null());
}

const std::string chunk = R"(data: {"choices":[{"index":0,"delta":{"content":"x"}}]})"
                          "\n\n";
const std::string stop = R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
                         "\n\n";

}  // namespace

TEST_CASE("an upstream that is not there", "[upstream]") {
  Relay relay({.upstream = "openai=http://127.0.0.1:" + std::to_string(unused_port()) + "/v1"});
  const auto all = finish(relay);
  check_failed(all, "upstream_unreachable");
  REQUIRE(all.upstream.size() == 2);  // two retries, each a visible seam
  for (const auto& seam : all.upstream) {
    CHECK(seam.at("attempt").is_number_integer());
    CHECK(seam.at("reason").is_string());
  }
  CHECK(all.upstream[0]["attempt"] < all.upstream[1]["attempt"]);
}

TEST_CASE("refusals that a retry cannot help are not retried", "[upstream]") {
  ModelServer model([](Call& call) {
    call.refuse(std::stoi(call.prompt()), R"({"error":{"message":"the provider says no","type":"t","code":null}})");
  });
  Relay relay({.upstream = model.upstream(), .env = {{"OPENAI_API_KEY", "sk-never-shown"}}});
  const std::map<int, std::string> codes = {{400, "upstream_bad_request"},
                                            {401, "upstream_auth"},
                                            {403, "upstream_auth"},
                                            {404, "upstream_bad_request"},
                                            {413, "upstream_bad_request"}};
  size_t calls = 0;
  for (const auto& [status, code] : codes) {
    INFO(status);
    const auto all = finish(relay, std::to_string(status));
    check_failed(all, code);
    CHECK(all.upstream.empty());
    CHECK(all.done->dump().find("sk-never-shown") == std::string::npos);
    CHECK(model.calls() == ++calls);
  }
}

TEST_CASE("a retry is seen as an upstream event, and then the stream goes on", "[upstream]") {
  const int status = GENERATE(429, 500, 503, 529);
  ModelServer model([&](Call& call) {
    if (call.number() == 0) return call.refuse(status, R"({"error":{"message":"busy"}})", {{"Retry-After", "1"}});
    call.text("ok");
    call.finish();
  });
  Relay relay({.upstream = model.upstream()});
  const auto all = finish(relay);
  INFO(status << " " << all.done->dump());
  CHECK(all.done->at("status") == "completed");
  CHECK(all.text == "ok");
  CHECK(all.upstream.size() == 1);
  REQUIRE(model.calls() == 2);
  CHECK(model.call(1).at - model.call(0).at >= 900ms);  // what Retry-After asked for
}

TEST_CASE("retries end, and say why", "[upstream]") {
  ModelServer model([](Call& call) {
    call.refuse(429, R"({"error":{"message":"slow down"}})", {{"Retry-After", "0"}});
  });
  Relay relay({.upstream = model.upstream()});
  const auto all = finish(relay);
  check_failed(all, "upstream_rate_limited");
  CHECK(all.done->at("error").at("retryable") == true);
  CHECK(model.calls() == 3);
}

TEST_CASE("nothing is retried once something was forwarded", "[upstream]") {
  ModelServer model([](Call& call) {
    call.text("partial");
    call.pause(50ms);
    call.cut();
  });
  Relay relay({.upstream = model.upstream()});
  const auto all = finish(relay);
  check_failed(all, "upstream_truncated");
  CHECK(all.text == "partial");
  CHECK(model.calls() == 1);
}

TEST_CASE("ends without a reason are truncated, whatever came before; with one they are ends", "[upstream]") {
  ModelServer model([](Call& call) {
    const std::string how = call.prompt();
    call.send(chunk);
    if (how.starts_with("finish")) call.send(stop);
    if (how.starts_with("half")) call.send("data: [DO");
    call.pause(30ms);
    if (how.ends_with("clean")) return call.end();
    if (how.ends_with("fin")) return call.close();
    call.cut();
  });
  Relay relay({.upstream = model.upstream()});
  for (const auto* how : {"clean", "fin", "reset", "half clean", "half reset"}) {
    INFO(how);
    check_failed(finish(relay, how), "upstream_truncated");
  }
  for (const auto* how : {"finish clean", "finish fin", "finish reset"}) {  // some servers omit [DONE]
    const auto all = finish(relay, how);
    CHECK(all.done->at("status") == "completed");
    CHECK(all.done->at("finish_reason") == "stop");
  }
}

TEST_CASE("a mark that is complete is the end, whatever comes after", "[upstream]") {
  ModelServer model([](Call& call) {
    const std::string how = call.prompt();
    call.send(chunk);
    if (how != "done alone") call.send(stop);
    if (how != "finish held") call.send("data: [DONE]\n\n");
    if (how == "mark cut") return call.cut();
    if (how == "mark fin") return call.close();
    if (how == "mark more") call.send(chunk);
    call.wait_closed(20s);
  });
  Relay relay({.upstream = model.upstream()});
  for (const auto* how : {"mark cut", "mark fin", "mark more", "mark held"}) {
    const auto began = Clock::now();
    const auto all = finish(relay, how);
    INFO(how << " " << all.done->dump());
    CHECK(all.done->at("status") == "completed");
    CHECK(all.done->at("finish_reason") == "stop");
    CHECK(all.text == "x");
    CHECK(ms_since(began) < 1500);
  }
  auto all = finish(relay, "done alone");
  CHECK(all.done->at("status") == "failed");
  CHECK(all.done->at("error").at("code") == "upstream_truncated");
  const auto began = Clock::now();
  all = finish(relay, "finish held");
  INFO(all.done->dump());
  CHECK(all.done->at("status") == "completed");
  CHECK(ms_since(began) < 8'000);  // 5 s after the reason
}

TEST_CASE("what is not a chat stream", "[upstream]") {
  ModelServer model([](Call& call) {
    const std::string how = call.prompt();
    if (how == "html") {
      call.head(200, "text/html");
      call.send("<html>a proxy's page</html>");
      return call.end();
    }
    if (how == "not json") call.send("data: <html>\n\n"), call.end();
    if (how == "broken json") call.send("data: {\"choices\":[{\n\n"), call.end();
    if (how == "deep json") call.send("data: " + std::string(100'000, '[') + "\n\n"), call.end();
    if (how == "too large") {
      call.send("data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"");
      for (int i = 0; i < 40 && call.send(std::string(10'000, 'a')); ++i) {
      }
      call.wait_closed(10s);
    }
    if (how == "endless line") {
      for (int i = 0; i < 2000 && call.send(std::string(10'000, 'a')); ++i) {
      }
    }
  });
  Relay relay(
      {.upstream = model.upstream(), .config = "[limits]\nupstream_event_bytes = 200000\nupstream_retries = 0\n"});
  for (const auto* how : {"html", "not json", "broken json", "deep json", "too large", "endless line"}) {
    INFO(how);
    check_failed(finish(relay, how), "upstream_protocol");
  }
}

TEST_CASE("errors inside the stream", "[upstream]") {
  ModelServer model([](Call& call) {
    const std::string how = call.prompt();
    if (how == "json under 200") return call.refuse(200, R"({"error":{"code":500,"message":"the model fell over"}})");
    if (how.starts_with("late")) call.text("x");
    if (how.ends_with("openai"))
      call.send(R"(data: {"error":{"message":"the model fell over","type":"server_error","code":null}})"
                "\n\n");
    if (how.ends_with("vllm"))
      call.send(R"(data: {"error":{"message":"the model fell over","type":"BadRequestError","code":400}})"
                "\n\n"
                "data: [DONE]\n\n");
    if (how.ends_with("llama.cpp"))
      call.send(R"(error: {"code":500,"message":"the model fell over","type":"server_error"})"
                "\n\n");
    if (how.ends_with("openrouter")) {
      call.send(
          R"(data: {"error":{"message":"the model fell over","code":502},"choices":[{"index":0,"delta":{},"finish_reason":"error"}]})"
          "\n\ndata: [DONE]\n\n");
    }
    call.end();
  });
  Relay relay({.upstream = model.upstream(), .config = "[limits]\nupstream_retries = 0\n"});
  for (const auto* how :
       {"openai", "late openai", "late vllm", "late llama.cpp", "late openrouter", "json under 200"}) {
    INFO(how);
    const auto all = finish(relay, how);
    INFO(all.done->dump());
    CHECK(all.done->at("status") == "failed");
    CHECK(all.done->at("error").at("message").get<std::string>().find("the model fell over") != std::string::npos);
    CHECK(all.done->at("error").at("code").get<std::string>().starts_with("upstream_"));
  }
}

TEST_CASE("a silent upstream runs into its timeouts, and its connection is closed", "[upstream]") {
  ModelServer model([](Call& call) {
    if (call.prompt() == "idle") call.text("x");
    if (call.prompt() == "alive") {
      for (int i = 0; i < 60 && call.send(": keep-alive\n\n"); ++i) call.pause(50ms);  // longer than the limits
      call.text("x");
      return call.finish();
    }
    call.wait_closed(20s);
  });
  Relay relay({.config = "[limits]\nupstream_retries = 0\n[[upstream]]\nkind = \"openai\"\nbase_url = \"" +
                         model.base_url() + "\"\nfirst_byte_ms = 2000\nidle_ms = 2000\n"});
  for (const auto* how : {"never", "idle"}) {
    INFO(how);
    check_failed(finish(relay, how), "upstream_timeout");
  }
  CHECK(wait_until([&] { return model.open_connections() == 0; }, 20s));
  CHECK(finish(relay, "alive").done->at("status") == "completed");
}

TEST_CASE("finish reasons and usage", "[upstream]") {
  ModelServer model([](Call& call) {
    call.text("12345");
    call.chunk(Json::object(), call.prompt() == "legacy" ? "function_call" : call.prompt());
    if (call.prompt() == "length") call.usage(0, 9);
    call.send("data: [DONE]\n\n");
    call.end();
  });
  Relay relay({.upstream = model.upstream()});
  const Json half = finish(relay, "length").done->at("usage");
  CHECK(half.at("output_tokens") == 9);
  CHECK(half.at("input_tokens") > 0);  // a zero is no count
  CHECK(half.at("source") == "estimated");
  for (const auto* same : {"stop", "tool_calls", "content_filter"})
    CHECK(finish(relay, same).done->at("finish_reason") == same);
  CHECK(finish(relay, "legacy").done->at("finish_reason") == "tool_calls");
  CHECK(finish(relay, "abort").done->at("status") == "failed");
  const auto odd = finish(relay, "repetition").done;
  CHECK(odd->at("finish_reason") == "other");
  CHECK(odd->at("finish_reason_raw") == "repetition");
  const Json usage = odd->at("usage");
  CHECK(usage.at("source") == "estimated");
  CHECK(usage.at("output_tokens") == 2);  // five bytes / 4, rounded up
}
