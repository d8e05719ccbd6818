// Transfers on the loop: cancelling, pausing, reuse, and everything a handler may do inside a callback.
#include "service/client/http_client.h"

#include "tests/upstream/chat/run.h"

using namespace tokenrelay;
namespace script = support::script;
using namespace std::chrono_literals;
using script::text_payload;

namespace {

// Runs the loop for so long.
void run_for(transport::Loop& loop, int64_t ms) {
  transport::Timer timer(loop.timers(), [&] { loop.stop(); });
  timer.arm(ms);
  loop.run();
}

support::Script endless_text() {
  return {script::send(script::head()), script::send_endless(script::chunk(script::event(text_payload("word "))))};
}

support::Script text_then_stall() {
  return {script::send(script::head() + script::chunk(script::event(text_payload("a")))), script::stall()};
}

int64_t ms_between(support::TimePoint from, support::TimePoint to) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(to - from).count();
}

}  // namespace

TEST_CASE("destroying a call closes its connection within 100 ms") {
  OpenAiRun run;
  std::chrono::steady_clock::time_point destroyed;
  const auto destroy = [&] {
    destroyed = std::chrono::steady_clock::now();
    run.recorder.call.reset();
  };
  SECTION("between callbacks, while the response runs") {
    run.server.answer(text_then_stall());
    run.recorder.on_delta = [&] { run.loop.post([&] { destroy(), run.loop.stop(); }); };
    run.start();
    run.loop.run();
  }
  SECTION("inside a callback") {
    run.server.answer(endless_text());
    run.recorder.on_delta = [&] { destroy(), run.loop.stop(); };
    run.start();
    run.loop.run();
    CHECK(run.recorder.deltas.size() == 1);
  }
  SECTION("before the head") {
    run.server.answer(script::silent());
    run.start();
    transport::Timer poll(run.loop.timers(), [&] {
      if (run.server.calls() == 0) return poll.arm(5);
      destroy();
      run.loop.stop();
    });
    poll.arm(5);
    run.loop.run();
  }
  // The loop does not run any more: the socket was closed then and there.
  const auto closed = run.server.wait_closed(0, 2s);
  REQUIRE(closed);
  CHECK(ms_between(destroyed, *closed) < 100);
  CHECK_FALSE(run.recorder.outcome);
}

TEST_CASE("a connection with a response under way never goes back to the pool") {
  OpenAiRun run;
  run.server.answer(text_then_stall());
  run.server.answer(script::text_stream({"fresh"}));
  run.recorder.on_delta = [&] { run.recorder.call.reset(), run.loop.stop(); };
  run.start();
  run.loop.run();
  run.recorder.on_delta = nullptr;
  run.recorder.text.clear();
  CHECK(run.run().text == "fresh");
  CHECK(run.server.connections() == 2);
}

TEST_CASE("a finished response's connection is used again") {
  OpenAiRun run;
  run.server.answer(script::text_stream({"a"}));
  for (int i = 0; i < 5; ++i) {
    run.recorder.outcome.reset();
    run.run();
    CHECK_FALSE(run.recorder.outcome->failure);
    run_for(run.loop, 20);  // the body's last bytes
  }
  CHECK(run.server.calls() == 5);
  CHECK(run.server.connections() == 1);
}

TEST_CASE("a refusal read to its end keeps the connection too") {
  OpenAiRun run;
  run.server.answer(script::refusal(429, "{}"));
  run.run();
  run.recorder.outcome.reset();
  run.run();
  CHECK(run.server.connections() == 1);
}

TEST_CASE("a stale pooled connection is replaced without an error") {
  OpenAiRun run;
  support::Script once = script::text_stream({"a"});
  once.push_back(script::close());
  run.server.answer(once);
  for (int i = 0; i < 3; ++i) {
    run.recorder.outcome.reset();
    run.run();
    CHECK_FALSE(run.recorder.outcome->failure);
    run_for(run.loop, 30);
  }
  CHECK(run.server.connections() == 3);
}

TEST_CASE("a paused call is not read, and goes on where it stopped") {
  OpenAiRun run;
  run.options.timeouts.idle_ms = 300;
  run.server.answer(endless_text());
  run.recorder.on_delta = [&] {
    if (run.recorder.deltas.size() == 1) run.recorder.call->pause();
  };
  run.start();
  // The sender fills the socket's buffers, and then waits.
  uint64_t sent = 0, before = 1;
  for (int round = 0; round < 100 && (sent == 0 || sent != before); ++round) {
    before = sent;
    run_for(run.loop, 200);
    sent = run.server.bytes_sent();
  }
  CHECK(sent == before);
  const size_t got = run.recorder.deltas.size();
  CHECK(got * 150 < (32u << 10));  // at most the read under way and one more
  run_for(run.loop, 500);          // longer than the idle limit, which rests
  CHECK(run.recorder.deltas.size() == got);
  CHECK_FALSE(run.recorder.outcome);
  CHECK(run.server.bytes_sent() == sent);
  run.recorder.call->resume();
  for (int round = 0; round < 100 && run.recorder.deltas.size() <= got + 1000; ++round) run_for(run.loop, 50);
  CHECK(run.recorder.deltas.size() > got + 1000);
  run.recorder.call.reset();
  CHECK(run.server.wait_closed(0, 1s));
}

TEST_CASE("every byte survives pausing at random places") {
  OpenAiRun run;
  std::vector<std::string> words;
  for (int i = 0; i < 3000; ++i) words.push_back("w" + std::to_string(i) + " ");
  std::string text;
  for (const std::string& word : words) text += word;
  run.server.answer(script::text_stream(words));
  transport::Timer later(run.loop.timers(), [&] { run.recorder.call->resume(); });
  run.recorder.on_delta = [&] {
    if (run.recorder.deltas.size() % 300 != 0) return;
    run.recorder.call->pause();
    later.arm(1 + run.recorder.deltas.size() % 7);
  };
  CHECK(run.run().text == text);
}

TEST_CASE("inside a callback a handler may destroy other calls, start new ones and drop the client") {
  OpenAiRun run;
  run.server.answer([](support::ModelServer::Call& call) {
    const bool second = call.seen().body.find("second") != std::string::npos;
    call.play(second ? script::text_stream({"second"}) : endless_text());
  });
  Recorder other(run.loop), second(run.loop);
  run.start();
  other.call = call_of(*run.provider, {"m", "[]", "", ""}, other);
  bool done = false;
  run.recorder.on_delta = [&] {
    if (other.deltas.empty() || done) return;
    done = true;
    other.call.reset();
    second.call = call_of(*run.provider, {"second", "[]", "", ""}, second);
    CHECK(second.text.empty());
    run.provider.reset();
    run.recorder.call.reset();
  };
  run.loop.run();
  CHECK(second.text == "second");
  CHECK_FALSE(run.recorder.outcome);
  CHECK_FALSE(other.outcome);
  CHECK(run.server.wait_closed(0, 1s));
  CHECK(run.server.wait_closed(1, 1s));
}

TEST_CASE("inside on_end a handler may start the next call and destroy its own") {
  OpenAiRun run;
  struct Chain final : upstream::CallHandler {
    void on_text(std::string_view) override {}
    void on_reasoning(std::string_view) override {}
    void on_tool_call(int, std::string_view, std::string_view, std::string_view) override {}
    uint64_t told_bytes() const override { return 0; }
    void on_end(upstream::Outcome outcome) override {
      CHECK(outcome.failure.has_value() == (ended % 2 == 1));
      if (++ended == 20) {
        run->provider.reset();
        call.reset();
        return run->loop.stop();
      }
      call.reset();
      call = call_of(*run->provider, {"m", "[]", "", ""}, *this);
    }
    OpenAiRun* run = nullptr;
    int ended = 0;
    std::unique_ptr<upstream::Call> call;
  } chain;
  chain.run = &run;
  for (int i = 0; i < 10; ++i) {
    run.server.answer(script::text_stream({"a"}));
    run.server.answer(script::refusal(500, "{}"));
  }
  run.provider = upstream::make_openai_chat(client::make_http_client(run.loop), run.options);
  chain.call = call_of(*run.provider, {"m", "[]", "", ""}, chain);
  run.loop.run();
  CHECK(chain.ended == 20);
}

TEST_CASE("the client may go before its calls, which then stay silent") {
  OpenAiRun run;
  run.server.answer(endless_text());
  struct Silent final : client::TransferHandler {
    void on_head(const client::HttpHead&) override {}
    void on_body(std::string_view) override {
      if (++bodies == 3) client->reset();
    }
    void on_end(const client::TransferEnd&) override { FAIL("it should be silent"); }
    int bodies = 0;
    std::unique_ptr<client::HttpClient>* client = nullptr;
  } handler;
  auto client = std::make_unique<client::HttpClient>(run.loop);
  handler.client = &client;
  const auto transfer = client->send({run.server.base_url(), {}, nullptr, run.options.timeouts}, handler);
  run_for(run.loop, 200);
  CHECK(handler.bodies == 3);
  CHECK(run.server.wait_closed(0, 1s));
  transfer->pause();
  transfer->resume();
}

TEST_CASE("many calls at once, half of them destroyed at random") {
  OpenAiRun run;
  run.server.answer(script::numbered_stream(20, 1));
  run.provider = upstream::make_openai_chat(client::make_http_client(run.loop), run.options);
  std::vector<std::unique_ptr<Recorder>> recorders;
  int left = 0;
  for (int i = 0; i < 60; ++i) {
    recorders.push_back(std::make_unique<Recorder>(run.loop));
    Recorder& recorder = *recorders.back();
    recorder.call = call_of(*run.provider, {"m", "[]", "", ""}, recorder);
    if (i % 2 == 0) {
      ++left;
    } else {
      recorder.on_delta = [&recorder, i] {
        if (recorder.deltas.size() == static_cast<size_t>(i) % 19 + 1) recorder.call.reset();
      };
    }
  }
  const auto all_done = [&] {
    int ended = 0;
    for (const auto& recorder : recorders) ended += recorder->outcome.has_value();
    return ended == left;
  };
  for (int round = 0; round < 1000 && !all_done(); ++round) run_for(run.loop, 20);
  CHECK(all_done());
  for (int i = 0; i < 60; i += 2) CHECK(recorders[i]->deltas.size() == 20);
}
