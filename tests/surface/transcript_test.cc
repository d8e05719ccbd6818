// A stream's events as items.
#include "service/surface/transcript.h"

#include "tests/support/catch.h"
#include "tests/surface/wire_events.h"

namespace tokenrelay::surface {
namespace {

using storage::EventKind;
using Kind = Item::Kind;

Transcript transcript(const Written& log) {
  Transcript out;
  for (const auto& one : log) out.add(one.kind, one.payload);
  return out;
}

}  // namespace

TEST_CASE("neighbouring deltas of one kind grow one item", "[transcript]") {
  const auto all = transcript(
      {started(), reasoning("h"), reasoning("m"), text("a"), text("b"), reasoning("n"), text("c"), completed()});
  REQUIRE(all.items.size() == 4);
  CHECK(all.items[0].kind == Kind::reasoning);
  CHECK(all.items[0].text == "hm");
  CHECK(all.items[1].text == "ab");
  CHECK(all.text() == "abc");
  CHECK(all.reasoning() == "hmn");
  CHECK(all.start["model"] == "m");
}

TEST_CASE("tool calls told side by side each keep their own arguments", "[transcript]") {
  const auto all = transcript({call(0, "{"), call(1, "["), text("x"), call(0, "}"), call(1, "]")});
  REQUIRE(all.items.size() == 3);
  CHECK(all.items[0].id == "call_0");
  CHECK(all.items[0].name == "weather");
  CHECK(all.items[0].text == "{}");
  CHECK(all.items[1].text == "[]");
  CHECK(all.text() == "x");
}

TEST_CASE("a steer and a seam do not split an item", "[transcript]") {
  const auto all = transcript({text("a"), event(EventKind::steer, "{}"), event(EventKind::upstream, "{}"), text("b")});
  REQUIRE(all.items.size() == 1);
  CHECK(all.text() == "ab");
}

TEST_CASE("merged or not, the same items", "[transcript]") {
  const auto apart = transcript({text("a"), text("b"), call(0, "{"), call(0, "}")});
  const auto merged = transcript({text("ab", 2), call(0, "{}", 2)});
  REQUIRE(apart.items.size() == merged.items.size());
  for (size_t i = 0; i < apart.items.size(); ++i) CHECK(apart.items[i].text == merged.items[i].text);
}

TEST_CASE("the terminal event, read", "[transcript]") {
  const auto good = transcript({completed("length")}).done.value();
  CHECK(good.status == "completed");
  CHECK(good.finish_reason == "length");
  CHECK(good.usage.input_tokens == 7u);
  CHECK(good.usage.output_tokens == 5u);
  CHECK_FALSE(good.usage.cached_tokens);
  CHECK(good.stop_sequence.empty());
  CHECK_FALSE(good.failed());
  const auto detailed = read_done(R"({"status":"completed","finish_reason":"stop","stop_sequence":"END",
    "usage":{"input_tokens":9,"output_tokens":8,"cached_input_tokens":7,"cache_write_tokens":1,"audio_input_tokens":2,
             "reasoning_tokens":6,"audio_output_tokens":3,"source":"provider"}})");
  CHECK(detailed.stop_sequence == "END");
  CHECK(detailed.usage.cached_tokens == 7u);
  CHECK(detailed.usage.cache_write_tokens == 1u);
  CHECK(detailed.usage.audio_input_tokens == 2u);
  CHECK(detailed.usage.reasoning_tokens == 6u);
  CHECK(detailed.usage.audio_output_tokens == 3u);
  const auto bad = read_done(R"({"status":"interrupted","finish_reason":null,"usage":{"source":"unknown"},
    "error":{"code":"relay_restarted","message":"why","retryable":true}})");
  CHECK(bad.failed());
  CHECK(bad.finish_reason.empty());
  CHECK_FALSE(bad.counted());
  REQUIRE(bad.error);
  CHECK(bad.error->code == "relay_restarted");
  CHECK(bad.error->retryable);
}

TEST_CASE("payloads that are not what they should be leave nothing behind and break nothing", "[transcript]") {
  Transcript all;
  all.add(EventKind::tool_call, "");
  all.add(EventKind::start, "[1]");
  all.add(EventKind::opaque, "nonsense");
  all.add(EventKind::done, "");
  CHECK(all.start.empty());
  REQUIRE(all.items.size() == 1);
  CHECK(all.items[0].opaque.empty());
  CHECK(all.done->status.empty());
}

TEST_CASE("calls that a steer closed are void, and what belongs to them; later ones count", "[transcript]") {
  Transcript all;
  all.add(storage::EventKind::text, "I look.");
  all.add(storage::EventKind::tool_call, call(0, "{\"x").payload);
  all.add(storage::EventKind::opaque, R"({"type":"thought_signature","data":"s","index":0})");
  all.add(storage::EventKind::opaque, R"({"type":"signature","data":"t"})");
  all.add(storage::EventKind::steer, R"({"content":"shorter"})");
  all.add(storage::EventKind::tool_call, call(1, "{}").payload);
  all.add(storage::EventKind::upstream, R"({"attempt":2,"reason":"r"})");  // the same generation goes on
  REQUIRE(all.items.size() == 5);
  CHECK_FALSE(all.items[0].voided);
  CHECK(all.items[1].voided);
  CHECK(all.items[2].voided);
  CHECK_FALSE(all.items[3].voided);
  CHECK_FALSE(all.items[4].voided);
}

}  // namespace tokenrelay::surface
