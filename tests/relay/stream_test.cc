#include "service/relay/stream.h"

#include "service/relay/commands.h"
#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;
using storage::LogState;
using upstream::ErrorCode;

TEST_CASE("durable before visible: nothing reaches a reader before the log says so", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading reader(stream);
  REQUIRE(reader.names() == std::vector<std::string>{"start"});
  f.say("secret");
  reader.subscriber->pump();
  Reading late(stream);
  CHECK(reader.events.size() == 1);
  CHECK(late.events.size() == 1);
  f.log->commit_silently();  // the disk has it, the relay does not know
  reader.subscriber->pump();
  CHECK(reader.events.size() == 1);
  f.log->report();
  CHECK(reader.text() == "secret");
  CHECK(late.text() == "secret");
}

TEST_CASE("the end is not an end before it is durable", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading reader(stream);
  f.model->last().complete();
  f.time.settle();
  CHECK(stream->status() == "streaming");
  CHECK_FALSE(stream->ended());
  CHECK_FALSE(reader.ended);
  f.commit();
  CHECK(stream->status() == "completed");
  CHECK(reader.ended);
  CHECK(f.shard->live() == 0);
}

TEST_CASE("whatever ends a stream first wins, and there is one terminal event", "[stream]") {
  using End = std::function<void(RelayFixture&, Stream&)>;
  const std::vector<std::pair<std::string, End>> ends = {
      {"completed",
       [](RelayFixture& f, Stream&) {
         if (!f.model->last().closed()) f.model->last().complete();
       }},
      {"failed",
       [](RelayFixture& f, Stream&) {
         if (!f.model->last().closed()) f.model->last().fail(ErrorCode::upstream_auth, false);
       }},
      {"cancelled", [](RelayFixture&, Stream& s) { s.cancel(); }},
      {"failed", [](RelayFixture& f, Stream&) { f.time.advance(3'600'010); }},
      {"failed",
       [](RelayFixture& f, Stream&) {
         if (!f.model->last().closed()) f.model->last().text(std::string(40'000, 'x'));
       }},
      {"interrupted", [](RelayFixture&, Stream& s) { s.interrupt("relay_drained", ""); }},
      {"failed", [](RelayFixture&, Stream& s) { s.fail("log_unavailable", ""); }}};
  Options small;
  small.stream_bytes = 30'000;
  for (const auto& [status, first] : ends) {
    for (const bool durable_between : {false, true}) {
      for (const auto& [ignored, second] : ends) {
        if (&first == &second && !durable_between) continue;
        RelayFixture f(small);
        const auto stream = f.stream();
        Reading reader(stream);
        f.say_and_commit("x");
        first(f, *stream);
        if (durable_between) f.commit();
        second(f, *stream);
        f.commit();
        CHECK(f.terminal_events(*stream) == 1);
        CHECK(stream->status() == status);
        CHECK(f.stored(*stream).events.back().kind == storage::EventKind::done);
        CHECK(reader.ended);
        CHECK(reader.events.back().name == "done");
        CHECK(f.model->open() == 0);
      }
    }
  }
}

TEST_CASE("the terminal event says why", "[stream]") {
  Options small;
  small.stream_bytes = 1'000;
  RelayFixture f(small);
  const auto stream = f.stream();
  SECTION("too long") {
    f.say(std::string(900, 'x'));
    f.say(std::string(101, 'x'));
    CHECK(f.done(*stream)["error"]["code"] == "stream_too_long");
    CHECK(f.stored(*stream).events.size() == 3);  // start, the first delta, done
  }
  SECTION("time limit") {
    f.time.advance(3'600'010);
    CHECK(f.done(*stream)["error"]["code"] == "time_limit");
  }
  SECTION("the upstream's own failure") {
    f.model->last().fail(ErrorCode::upstream_bad_request, false);
    CHECK(f.done(*stream)["error"]["code"] == "upstream_bad_request");
    CHECK(f.done(*stream)["error"]["message"] == "as scripted");
    CHECK(f.done(*stream)["error"]["retryable"] == false);
  }
  CHECK(f.done(*stream)["status"] == "failed");
  CHECK(f.done(*stream)["finish_reason"].is_null());
  CHECK(f.model->open() == 0);
}

TEST_CASE("a retry shows as an upstream event, in its place", "[stream]") {
  RelayFixture f;
  Reading reader(f.stream());
  f.model->last().fail(ErrorCode::upstream_overloaded, true);
  f.time.advance(510);
  f.say("x");
  f.commit();
  CHECK(reader.names() == std::vector<std::string>{"start", "upstream", ""});
}

TEST_CASE("cancel: the connection is closed at once, the answer waits for the commit", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  f.say("kept");
  std::optional<Cancelled> answer;
  cancel(*stream, [&](tl::expected<Cancelled, Refusal> done) { answer = done.value(); });
  CHECK(f.model->last().closed());
  CHECK_FALSE(f.model->last().kept);
  f.time.settle();
  CHECK_FALSE(answer);
  f.commit();
  REQUIRE(answer);
  CHECK(answer->upstream_closed_ms);
  CHECK(f.done(*stream)["status"] == "cancelled");
  CHECK(f.stored(*stream).events[1].payload == "kept");
  std::optional<Cancelled> again;
  cancel(*stream, [&](tl::expected<Cancelled, Refusal> done) { again = done.value(); });
  REQUIRE(again);
  CHECK_FALSE(again->upstream_closed_ms);
  CHECK(f.terminal_events(*stream) == 1);
}

TEST_CASE("cancel while it waits in line", "[stream]") {
  RelayFixture f({}, 1);
  const auto first = f.stream(), second = f.stream();
  CHECK(second->status() == "queued");
  CHECK(f.shard->queued() == 1);
  second->cancel();
  f.commit();
  CHECK(second->status() == "cancelled");
  first->cancel();
  f.commit();
  CHECK(f.model->calls.size() == 1);
}

TEST_CASE("the upstream is not read while the log is behind, and is read again after", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  const auto other = f.stream();
  auto& call = *f.model->calls[0];
  auto& calm = *f.model->calls[1];
  for (int i = 0; i < 17; ++i) call.text(std::string(16 << 10, 'x'));
  CHECK(call.paused);
  CHECK_FALSE(calm.paused);
  CHECK(f.shard->context().paused_streams == 1);
  f.commit();
  CHECK_FALSE(call.paused);
  CHECK(f.shard->context().paused_streams == 0);
}

TEST_CASE("the process's bound pauses whoever goes on, and all go on together", "[stream]") {
  Options options;
  options.uncommitted_bytes = 100'000;
  RelayFixture f(options);
  std::vector<std::shared_ptr<Stream>> streams;
  for (int i = 0; i < 10; ++i) streams.push_back(f.stream());
  for (const auto& call : f.model->calls) call->text(std::string(15'000, 'x'));
  size_t paused = 0;
  for (const auto& call : f.model->calls) paused += call->paused ? 1 : 0;
  CHECK(paused == 4);  // from the seventh on
  f.commit();
  for (const auto& call : f.model->calls) CHECK_FALSE(call->paused);
  CHECK(f.shard->context().paused_streams == 0);
}

TEST_CASE("a paused stream that ends is not counted as paused", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  for (int i = 0; i < 17; ++i) f.model->last().text(std::string(16 << 10, 'x'));
  REQUIRE(f.shard->context().paused_streams == 1);
  stream->cancel();
  CHECK(f.shard->context().paused_streams == 0);
}

TEST_CASE("a failed log: what is durable is served, then readers are cut and commands refused", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading reader(stream), slow(stream, 0, true, true);
  f.say_and_commit("durable");
  f.say("lost");
  bool told = true;
  stream->when_ended([&](bool durable) { told = durable; });
  f.log->set_state(LogState::failed);
  f.time.settle();
  CHECK(f.model->open() == 0);
  CHECK(f.model->last().kept);  // the next start may resume it
  CHECK(reader.text() == "durable");
  CHECK(reader.cut_off);
  CHECK(reader.reason == CutReason::log_failed);
  CHECK_FALSE(told);
  CHECK_FALSE(slow.cut_off);
  slow.make_room();
  CHECK(slow.text() == "durable");
  CHECK_FALSE(slow.cut_off);
  slow.make_room();
  CHECK(slow.cut_off);
  std::optional<Refusal> refused;
  cancel(*stream, [&](tl::expected<Cancelled, Refusal> done) { refused = done.error(); });
  CHECK(refused == Refusal::log_unavailable);
  CHECK(stream->steer("x").error() == Refusal::log_unavailable);
  CHECK(f.terminal_events(*stream) == 0);
  CHECK(stream->status() == "streaming");
}

TEST_CASE("on_disconnect cancel: the last reader's leaving ends the stream, a reload does not", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream({OnDisconnect::Action::cancel, 0});
  auto first = std::make_unique<Reading>(stream), second = std::make_unique<Reading>(stream);
  first.reset();
  f.time.advance(1'000);
  CHECK(f.model->open() == 1);
  second.reset();
  f.time.advance(200);
  second = std::make_unique<Reading>(stream);
  f.time.advance(1'000);
  CHECK(f.model->open() == 1);
  second.reset();
  f.time.advance(270);
  CHECK(f.model->open() == 0);
  f.commit();
  CHECK(stream->status() == "cancelled");
}

TEST_CASE("a cut made by the relay does not arm on_disconnect for half a minute", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream({OnDisconnect::Action::cancel, 0});
  Reading reader(stream);
  stream->cut_readers(CutReason::shutdown);
  CHECK(reader.cut_off);
  f.time.advance(30'200);
  CHECK(f.model->open() == 1);
  f.time.advance(100);
  CHECK(f.model->open() == 0);
}

TEST_CASE("who waits for the upstream's answer is told in the same moment, not at a timer's next tick", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  bool told = false;
  stream->when_answered(5'000, [&] { told = true; });
  f.model->last().handler->on_first_byte();
  CHECK_FALSE(told);  // not inside the upstream's call
  f.time.settle();    // no time passes
  CHECK(told);
}

TEST_CASE("steer: the generation is replaced on the same stream, with what was said", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading reader(stream);
  f.model->last().handler->on_first_byte();
  f.say_and_commit("Once ");
  f.say("upon");
  std::optional<Steered> answer;
  steer(*stream, "shorter", [&](tl::expected<Steered, Refusal> done) { answer = done.value(); });
  CHECK(f.model->open() == 0);
  CHECK_FALSE(answer);
  f.commit();
  REQUIRE(answer);
  CHECK(answer->seq == 4);
  REQUIRE(f.model->calls.size() == 2);
  const auto messages = *json::parse(f.model->last().request.messages);
  REQUIRE(messages.size() == 3);
  CHECK(messages[0]["content"] == "hi");
  CHECK(messages[1]["role"] == "assistant");
  CHECK(messages[1]["content"] == "Once upon");
  CHECK(messages[2]["role"] == "user");
  CHECK(messages[2]["content"] == "shorter");
  f.say("Well.");
  f.model->last().complete();
  f.commit();
  CHECK(reader.names() == std::vector<std::string>{"start", "", "", "steer", "", "done"});
  CHECK(reader.ended);
}

TEST_CASE("steers that come together are all seen by one generation", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  int acks = 0;
  const auto ack = [&](tl::expected<Steered, Refusal> done) { acks += done ? 1 : 0; };
  steer(*stream, "one", ack);
  steer(*stream, "two", ack);
  f.log->commit();
  steer(*stream, "three", ack);  // while the conversation is being read
  f.commit();
  f.time.settle();
  CHECK(acks == 3);
  REQUIRE(f.model->open() == 1);
  CHECK(f.model->calls.size() == 2);
  const auto messages = *json::parse(f.model->last().request.messages);
  REQUIRE(messages.size() == 4);
  CHECK(messages[3]["content"] == "three");
}

TEST_CASE("steer: refusals, each by its reason", "[stream]") {
  Options options;
  options.steers = 2;
  options.steer_bytes = 10;
  RelayFixture f(options);
  const auto stream = f.stream();
  CHECK(stream->steer("12345678901").error() == Refusal::too_long);
  CHECK(stream->steer("1"));
  CHECK(stream->steer("2"));
  CHECK(stream->steer("3").error() == Refusal::too_many);
  stream->cancel();
  CHECK(stream->steer("4").error() == Refusal::stream_ended);
  f.commit();
  CHECK(stream->steer("5").error() == Refusal::stream_ended);
  CHECK(f.terminal_events(*stream) == 1);
}

TEST_CASE("a cancel wins over a steer that is being applied", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  REQUIRE(stream->steer("x"));
  SECTION("before it is durable") {}
  SECTION("while the conversation is read") {
    f.log->commit();
  }
  stream->cancel();
  f.commit();
  f.time.settle();
  CHECK(stream->status() == "cancelled");
  CHECK(f.model->open() == 0);
  CHECK(f.terminal_events(*stream) == 1);
}

TEST_CASE("a conversation that cannot be read ends the stream, visibly", "[stream]") {
  RelayFixture f;
  const auto stream = f.stream();
  f.log->lose_requests = true;
  REQUIRE(stream->steer("x"));
  f.commit();
  f.commit();
  CHECK(stream->status() == "failed");
  CHECK(f.done(*stream)["error"]["code"] == "log_unreadable");
}
