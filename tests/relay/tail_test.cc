#include "service/relay/tail.h"

#include <random>

#include "service/relay/format.h"
#include "tests/support/catch.h"

using namespace tokenrelay::relay;
using tokenrelay::storage::EventKind;

namespace {

const std::vector<Run> runs = {{"aaaaaaaaaa", 1, 0}};

struct Plain {  // every event, for ever
  std::vector<std::pair<EventKind, std::string>> events;
  std::string wire(Seq after, Seq upto) const {
    std::string out;
    for (Seq seq = after + 1; seq <= upto; ++seq)
      sse_format().append(out, runs, seq, events[seq - 1].first, events[seq - 1].second);
    return out;
  }
};

}  // namespace

TEST_CASE("an empty tail", "[tail]") {
  Tail tail(41);
  CHECK(tail.first() == 42);
  CHECK(tail.last() == 41);
  CHECK_FALSE(tail.holds(41));
  CHECK_FALSE(tail.holds(42));
  CHECK(tail.bytes_after(41) == 0);
  tail.trim(41);
  tail.push(EventKind::text, "x");
  CHECK(tail.holds(42));
  CHECK(tail.payload(42) == "x");
}

TEST_CASE("what is not durable is never forgotten, what is only over the bound", "[tail]") {
  Tail tail;
  const std::string kilobyte(1024, 'x');
  for (int i = 0; i < 1000; ++i) tail.push(EventKind::text, kilobyte);
  tail.trim(0);
  CHECK(tail.first() == 1);
  tail.trim(500);
  CHECK(tail.first() == 501);
  CHECK(tail.bytes_after(500) == 500 * 1024);
  CHECK(tail.bytes_after(0) == 500 * 1024);  // of what it still has
  tail.trim(1000);
  CHECK(tail.bytes_after(0) == Tail::tail_bytes);
  CHECK(tail.payload(tail.first()) == kilobyte);
  CHECK(tail.last() == 1000);
}

TEST_CASE("a reader is behind with more than 64 events or 16 KiB", "[tail]") {
  Tail tail;
  for (int i = 0; i < 200; ++i) tail.push(EventKind::text, "x");
  CHECK(tail.wire(runs, 200 - Tail::wire_events, 200));
  CHECK_FALSE(tail.wire(runs, 200 - Tail::wire_events - 1, 200));
  for (int i = 0; i < 20; ++i) tail.push(EventKind::text, std::string(1000, 'x'));
  CHECK(tail.wire(runs, 205, 220));
  CHECK_FALSE(tail.wire(runs, 200, 220));
  tail.push(EventKind::text, std::string(Tail::wire_bytes * 2, 'x'));
  CHECK(tail.wire(runs, 220, 221));  // one event is served whatever its size
}

TEST_CASE("random operations: a slice of the wire is what encoding the events again gives", "[tail]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 8; ++round) {
    Tail tail;
    Plain plain;
    Seq durable = 0;
    const size_t biggest = random() % 3 == 0 ? 20'000 : 200;
    for (int step = 0; step < 400; ++step) {
      for (size_t n = random() % (random() % 10 == 0 ? 150 : 4); n > 0; --n) {
        const auto kind = random() % 5 ? EventKind::text : EventKind::reasoning;
        const std::string payload(random() % biggest, static_cast<char>('a' + random() % 26));
        plain.events.emplace_back(kind, payload);
        tail.push(kind, payload);
      }
      if (plain.events.size() > durable) durable += random() % (plain.events.size() - durable + 1);
      if (random() % 2) tail.trim(durable);
      REQUIRE(tail.last() == plain.events.size());
      for (int look = 0; look < 4 && durable > 0; ++look) {
        const Seq after = durable - std::min<Seq>(durable, 1 + random() % 80);
        const auto wire = tail.wire(runs, after, durable);
        const std::string whole = plain.wire(after, durable);
        const bool keeps_up =
            durable - after <= Tail::wire_events && (whole.size() <= Tail::wire_bytes || durable - after == 1);
        const bool in_tail = after + 1 >= tail.first();
        REQUIRE(wire.has_value() == (keeps_up && in_tail));
        if (wire) REQUIRE(*wire == whole);
      }
      if (tail.first() <= tail.last()) {
        const Seq seq = tail.first() + random() % (tail.last() - tail.first() + 1);
        REQUIRE(tail.kind(seq) == plain.events[seq - 1].first);
        REQUIRE(tail.payload(seq) == plain.events[seq - 1].second);
        uint64_t bytes = 0;
        for (Seq s = seq + 1; s <= tail.last(); ++s) bytes += plain.events[s - 1].second.size();
        REQUIRE(tail.bytes_after(seq) == bytes);
      }
    }
  }
}
