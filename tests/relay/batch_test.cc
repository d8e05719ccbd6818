#include "service/relay/batch.h"

#include "service/relay/event_codec.h"
#include "tests/support/catch.h"

using namespace tokenrelay::relay;

namespace {

const std::vector<Run> runs = {{"aaaaaaaaaa", 1, 0}};

struct Batched {
  Batch batch{sse_format(), runs, true};
  Seq seq = 0;
  Batched& add(EventKind kind, std::string_view payload) {
    batch.add(++seq, kind, payload);
    return *this;
  }
  Batched& text(std::string_view delta) { return add(EventKind::text, delta); }
};

std::string expected(std::initializer_list<std::tuple<Seq, EventKind, std::string>> events) {
  std::string out;
  for (const auto& [seq, kind, payload] : events) sse_format().append(out, runs, seq, kind, payload);
  return out;
}

size_t blocks(const std::string& out) {
  size_t count = 0;
  for (size_t at = 0; (at = out.find("\n\n", at)) != std::string::npos; at += 2) ++count;
  return count;
}

}  // namespace

TEST_CASE("neighbouring text becomes one event under the last one's id", "[batch]") {
  Batched b;
  b.text("Hel").text("lo").text("!");
  CHECK(b.batch.finish() == expected({{3, EventKind::text, "Hello!"}}));
  CHECK(b.batch.merged() == 2);
}

TEST_CASE("what lies between keeps its place", "[batch]") {
  Batched b;
  b.add(EventKind::start, "{}")
      .text("a")
      .text("b")
      .add(EventKind::reasoning, "r")
      .add(EventKind::reasoning, "s")
      .text("c");
  b.add(EventKind::steer, "{}").add(EventKind::steer, "{}").text("d").add(EventKind::done, "{}");
  CHECK(b.batch.finish() == expected({{1, EventKind::start, "{}"},
                                      {3, EventKind::text, "ab"},
                                      {5, EventKind::reasoning, "rs"},
                                      {6, EventKind::text, "c"},
                                      {7, EventKind::steer, "{}"},
                                      {8, EventKind::steer, "{}"},
                                      {9, EventKind::text, "d"},
                                      {10, EventKind::done, "{}"}}));
}

TEST_CASE("a tool call's arguments are merged, two calls' never", "[batch]") {
  Batched b;
  const auto piece = [](uint64_t index, const char* arguments) {
    return encode_tool_call({index, "i", "n", arguments});
  };
  b.add(EventKind::tool_call, piece(0, "{")).add(EventKind::tool_call, piece(0, "}"));
  b.add(EventKind::tool_call, piece(1, "{")).add(EventKind::tool_call, piece(0, "x"));
  CHECK(b.batch.finish() == expected({{2, EventKind::tool_call, piece(0, "{}")},
                                      {3, EventKind::tool_call, piece(1, "{")},
                                      {4, EventKind::tool_call, piece(0, "x")}}));
}

TEST_CASE("without coalescing every event is itself", "[batch]") {
  Batch batch(sse_format(), runs, false);
  batch.add(1, EventKind::text, "a");
  batch.add(2, EventKind::text, "b");
  CHECK(batch.finish() == expected({{1, EventKind::text, "a"}, {2, EventKind::text, "b"}}));
  CHECK(batch.merged() == 0);
}

TEST_CASE("a merged event holds at most 16 KiB", "[batch]") {
  Batched exact;
  exact.text(std::string(Batch::merge_bytes - 1, 'x')).text("y");
  CHECK(blocks(exact.batch.finish()) == 1);
  Batched over;
  over.text(std::string(Batch::merge_bytes - 1, 'x')).text("yz");
  CHECK(blocks(over.batch.finish()) == 2);
  Batched one;  // stored before the limit was lowered: whole, and alone
  one.text(std::string(Batch::merge_bytes + 5, 'x')).text("y");
  CHECK(blocks(one.batch.finish()) == 2);
}

TEST_CASE("a batch says when it is full", "[batch]") {
  Batched b;
  size_t events = 0;
  while (!b.batch.full()) {
    b.text(std::string(1000, 'x'));
    REQUIRE(++events < 100);
  }
  CHECK(events >= 60);
  CHECK(b.batch.finish().size() < Batch::batch_bytes + Batch::merge_bytes);
}
