// Commands and their races. Each has one outcome: what is in the log, in order, and what each command was answered.
#include "service/relay/commands.h"

#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;
using storage::EventKind;
using storage::LogState;
using upstream::ErrorCode;

namespace {

struct Commanded : RelayFixture {
  using RelayFixture::RelayFixture;
  std::vector<tl::expected<Cancelled, Refusal>> cancels;
  std::vector<tl::expected<Steered, Refusal>> steers;

  void cancel(Stream& stream) {
    relay::cancel(stream, [this](auto outcome) { cancels.push_back(outcome); });
  }
  void steer(Stream& stream, std::string_view content) {
    relay::steer(stream, content, [this](auto outcome) { steers.push_back(outcome); });
  }
  void settle() {
    for (int i = 0; i < 4; ++i) commit();
  }
  std::vector<EventKind> kinds(const Stream& stream) {
    std::vector<EventKind> out;
    for (const auto& event : stored(stream).events) out.push_back(event.kind);
    return out;
  }
  json::Value messages() { return *json::parse(model->last().request.messages); }
};

json::Value turn(const char* role, const char* content) {
  return {{"role", role}, {"content", content}};
}

}  // namespace

TEST_CASE("two cancels: one end, both answered when it is durable, the first closed the upstream", "[commands]") {
  Commanded f;
  const auto stream = f.stream();
  f.say("x");
  f.cancel(*stream);
  f.cancel(*stream);
  CHECK(f.cancels.empty());
  f.commit();
  REQUIRE(f.cancels.size() == 2);
  CHECK(f.cancels[0]->upstream_closed_ms);
  CHECK_FALSE(f.cancels[1]->upstream_closed_ms);
  CHECK(f.terminal_events(*stream) == 1);
}

TEST_CASE("cancel against completion: the first wins, the second learns the outcome", "[commands]") {
  Commanded f;
  const auto stream = f.stream();
  f.say("x");
  f.model->last().complete();
  f.cancel(*stream);  // the end is appended but not durable
  CHECK(f.cancels.empty());
  f.commit();
  REQUIRE(f.cancels.size() == 1);
  CHECK(f.cancels[0].has_value());
  CHECK(stream->status() == "completed");
  CHECK(f.terminal_events(*stream) == 1);
}

TEST_CASE("cancel while it backs off: no call follows", "[commands]") {
  Commanded f;
  const auto stream = f.stream();
  f.model->last().fail(ErrorCode::upstream_overloaded, true);
  f.time.settle();
  f.cancel(*stream);
  f.commit();
  REQUIRE(f.cancels.size() == 1);
  CHECK_FALSE(f.cancels[0]->upstream_closed_ms);  // there was no connection to close
  f.time.advance(60'000);
  CHECK(f.model->calls.size() == 1);
  CHECK(stream->status() == "cancelled");
}

TEST_CASE("cancel while it waits for a place: its place in line goes to the next", "[commands]") {
  Commanded f({}, 1);
  const auto first = f.stream(), second = f.stream(), third = f.stream();
  f.cancel(*second);
  f.commit();
  REQUIRE(f.cancels.size() == 1);
  CHECK(f.done(*second)["usage"]["source"] == "unknown");  // nothing was asked, nothing is claimed
  f.model->last().complete();
  f.settle();
  CHECK(f.model->calls.size() == 2);
  CHECK(second->status() == "cancelled");
  CHECK(third->status() == "streaming");
}

TEST_CASE("deltas before the command stay, later ones are dropped", "[commands]") {
  Commanded f;
  const auto stream = f.stream();
  f.say("kept");
  auto call = f.model->calls.back();
  f.cancel(*stream);
  CHECK(call->closed());
  f.commit();
  CHECK(f.kinds(*stream) == std::vector{EventKind::start, EventKind::text, EventKind::done});
}

TEST_CASE("steer against cancel: a steer first stays in the log, a cancel first refuses it", "[commands]") {
  Commanded f;
  const auto stream = f.stream();
  SECTION("steer, cancel") {
    f.steer(*stream, "x");
    f.cancel(*stream);
    f.settle();
    REQUIRE(f.steers.size() == 1);
    CHECK(f.steers[0]->seq == 2);
    CHECK(f.kinds(*stream) == std::vector{EventKind::start, EventKind::steer, EventKind::done});
  }
  SECTION("cancel, steer") {
    f.cancel(*stream);
    f.steer(*stream, "x");
    CHECK(f.steers.at(0).error() == Refusal::stream_ended);
    f.settle();
    CHECK(f.kinds(*stream) == std::vector{EventKind::start, EventKind::done});
  }
  REQUIRE(f.cancels.size() == 1);
  CHECK(f.cancels[0].has_value());
  CHECK(stream->status() == "cancelled");
  CHECK(f.model->open() == 0);
  CHECK(f.model->calls.size() == 1);
}

TEST_CASE("the conversation is the original, the partial text unless empty, the steer", "[commands]") {
  Commanded f;
  const auto stream = f.stream();
  SECTION("nothing was said") {
    f.steer(*stream, "s");
    f.settle();
    CHECK(f.messages() == json::Value{turn("user", "hi"), turn("user", "s")});
  }
  SECTION("only reasoning and half a tool call") {
    f.model->last().handler->on_reasoning("hm");
    f.model->last().handler->on_tool_call(0, "id", "name", "{\"a\":");
    f.steer(*stream, "s");
    f.settle();
    CHECK(f.messages() == json::Value{turn("user", "hi"), turn("user", "s")});
  }
  SECTION("text that was not durable when the steer came") {
    f.say_and_commit("one ");
    f.say("two");
    f.steer(*stream, "s");
    f.settle();
    CHECK(f.messages() == json::Value{turn("user", "hi"), turn("assistant", "one two"), turn("user", "s")});
  }
  SECTION("steered again and again") {
    f.say("a");
    f.steer(*stream, "s1");
    f.settle();
    f.say("b");
    f.steer(*stream, "s2");
    f.settle();
    f.steer(*stream, "s3");
    f.settle();
    CHECK(f.messages() == json::Value{turn("user", "hi"), turn("assistant", "a"), turn("user", "s1"),
                                      turn("assistant", "b"), turn("user", "s2"), turn("user", "s3")});
  }
}

TEST_CASE("a steer that comes at any moment of another one: both in the log, one generation that saw both",
          "[commands]") {
  for (int moment = 0; moment < 6; ++moment) {
    CAPTURE(moment);
    Commanded f;
    const auto stream = f.stream();
    f.say("x");
    f.steer(*stream, "first");
    if (moment == 1) f.time.settle();
    if (moment == 2) f.log->commit_silently();
    if (moment == 3) f.log->commit();
    if (moment == 4) f.log->hold_reads = true, f.commit();
    if (moment == 5) f.commit();
    f.steer(*stream, "second");
    f.log->hold_reads = false;
    f.log->release_reads();
    f.settle();
    REQUIRE(f.steers.size() == 2);
    CHECK(f.steers[0]->seq == 3);
    CHECK(f.steers[1]->seq == 4);
    CHECK(f.kinds(*stream) == std::vector{EventKind::start, EventKind::text, EventKind::steer, EventKind::steer});
    REQUIRE(f.model->open() == 1);
    CHECK(f.messages() ==
          json::Value{turn("user", "hi"), turn("assistant", "x"), turn("user", "first"), turn("user", "second")});
  }
}

TEST_CASE("a command while the log is slow is acknowledged only when it is durable", "[commands]") {
  Commanded f;
  const auto stream = f.stream();
  f.steer(*stream, "s");
  f.time.advance(5'000);
  CHECK(f.steers.empty());
  CHECK(f.model->open() == 0);  // the old generation is closed at once all the same
  f.log->commit_silently();
  f.time.settle();
  CHECK(f.steers.empty());
  f.log->report();
  CHECK(f.steers.size() == 1);
  f.cancel(*stream);
  f.time.advance(5'000);
  CHECK(f.cancels.empty());
  f.commit();
  CHECK(f.cancels.size() == 1);
}

TEST_CASE("a log that fails under a command refuses it", "[commands]") {
  Commanded f;
  const auto steered = f.stream(), cancelled = f.stream();
  f.steer(*steered, "s");
  f.cancel(*cancelled);
  f.log->set_state(LogState::failed);
  f.time.settle();
  REQUIRE(f.steers.size() == 1);
  CHECK(f.steers[0].error() == Refusal::log_unavailable);
  REQUIRE(f.cancels.size() == 1);
  CHECK(f.cancels[0].error() == Refusal::log_unavailable);
}

TEST_CASE("steer while it waits for a place, and while it backs off", "[commands]") {
  Commanded f({}, 1);
  const auto first = f.stream(), second = f.stream();
  f.steer(*second, "s");
  f.settle();
  CHECK(f.steers.size() == 1);
  CHECK(f.model->calls.size() == 1);
  f.model->last().fail(ErrorCode::upstream_overloaded, true);
  f.time.settle();
  f.steer(*first, "t");  // gives its place up, and gets in line again
  f.settle();
  REQUIRE(f.model->calls.size() == 2);
  CHECK(f.messages() == json::Value{turn("user", "hi"), turn("user", "s")});
  f.model->last().complete();
  f.settle();
  REQUIRE(f.model->calls.size() == 3);
  CHECK(f.messages() == json::Value{turn("user", "hi"), turn("user", "t")});
  f.model->last().complete();
  f.settle();
  CHECK(first->status() == "completed");
  CHECK(second->status() == "completed");
}

TEST_CASE("the index of a tool call never repeats over generations", "[commands]") {
  Commanded f;
  const auto stream = f.stream();
  for (int i = 0; i < 3; ++i) {
    f.model->last().handler->on_tool_call(0, "a", "f", "{}");
    f.model->last().handler->on_tool_call(1, "b", "g", "{}");
    if (i < 2) f.steer(*stream, "again"), f.settle();
  }
  f.settle();
  std::vector<int> seen;
  for (const auto& event : f.stored(*stream).events) {
    if (event.kind != EventKind::tool_call) continue;
    std::string data;
    append_data(data, event.kind, event.payload);
    seen.push_back(json::parse(data)->at("index").get<int>());
  }
  CHECK(seen == std::vector<int>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("usage is the sum over generations, with the weakest source", "[commands]") {
  Commanded f;
  const auto stream = f.stream();
  f.model->last().handler->on_first_byte();
  f.say("12345678");
  f.steer(*stream, "s");
  f.settle();
  upstream::Outcome outcome;
  outcome.finish_reason = upstream::FinishReason::stop;
  outcome.usage.input_tokens = 100;
  outcome.usage.output_tokens = 50;
  SECTION("estimated beats provider") {
    f.model->last().handler->on_end(outcome);
    f.settle();
    CHECK(f.done(*stream)["usage"]["source"] == "estimated");
    CHECK(f.done(*stream)["usage"]["output_tokens"] == 52);  // 8 bytes / 4, and 50
    CHECK(f.done(*stream)["usage"]["input_tokens"] == 101);  // "hi": 2 bytes / 4 rounded up, and 100
  }
  SECTION("unknown beats all") {
    f.steer(*stream, "t");  // before the second generation said anything
    f.settle();
    f.model->last().handler->on_end(outcome);
    f.settle();
    CHECK(f.done(*stream)["usage"] == json::Value{{"source", "unknown"}});
  }
}

TEST_CASE("steers: no more than their number, and the last refusal changes nothing", "[commands]") {
  Options options;
  options.steers = 3;
  Commanded f(options);
  const auto stream = f.stream();
  for (int i = 0; i < 5; ++i) f.steer(*stream, std::to_string(i)), f.settle();
  CHECK(f.steers.size() == 5);
  CHECK(f.steers[2].has_value());
  CHECK(f.steers[3].error() == Refusal::too_many);
  CHECK(f.model->open() == 1);  // the third steer's generation still runs
  CHECK(f.model->calls.size() == 4);
}

TEST_CASE("a steer that fills the stream ends it, visibly, and is refused", "[commands]") {
  Options options;
  options.stream_bytes = 1'000;
  Commanded f(options);
  const auto stream = f.stream();
  f.say(std::string(900, 'x'));
  f.steer(*stream, std::string(200, 's'));
  f.settle();
  REQUIRE(f.steers.size() == 1);
  CHECK(f.steers[0].error() == Refusal::stream_ended);
  CHECK(f.done(*stream)["error"]["code"] == "stream_too_long");
  CHECK(f.terminal_events(*stream) == 1);
  CHECK(f.model->open() == 0);
}
