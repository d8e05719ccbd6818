#include "storage/tails.h"

#include "storage/segment.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;

namespace {

std::string record(StreamKey key, Seq first, size_t count, size_t bytes = 1) {
  std::string out, payload(bytes, 'x');
  std::vector<EventView> events(count, EventView{EventKind::text, payload});
  append_record(out, key, first, events);
  return out;
}

}  // namespace

TEST_CASE("a commit reaches each of its streams once, with its new end") {
  Tails tails;
  tails.open(1, 0);
  tails.open(2, 10);
  std::vector<Durable> reached;
  tails.commit(record(1, 1, 2) + record(2, 11, 1) + record(1, 3, 1) + record(99, 1, 1), 1, reached);
  CHECK(reached == std::vector<Durable>{{1, 3}, {2, 11}});
  CHECK_FALSE(tails.end(99));
  CHECK(tails.end(1)->last == 3);
}

TEST_CASE("what is not in memory is the segments' to answer") {
  Tails tails;
  CHECK_FALSE(tails.read(1, 0, 100).here);
  tails.open(1, 10);
  std::vector<Durable> reached;
  tails.commit(record(1, 11, 5), 1, reached);
  CHECK_FALSE(tails.read(1, 9, 100).here);
  CHECK(tails.read(1, 10, 100).block->entries.front().seq == 11);
  CHECK(tails.read(1, 12, 100).block->entries.size() == 3);
  auto caught_up = tails.read(1, 15, 100);
  CHECK(caught_up.here);
  CHECK(caught_up.block->entries.empty());
  CHECK(tails.read(1, 10, 1).block->entries.size() == 1);
}

TEST_CASE("chunks are of a segment's size, and one large event is one chunk") {
  Tails tails;
  tails.open(1, 0);
  std::vector<Durable> reached;
  tails.commit(record(1, 1, 100, 4000) + record(1, 101, 1, 3 * segment_bytes) + record(1, 102, 1), 1, reached);
  const auto& chunks = tails.find(1)->chunks;
  Seq next = 1;
  for (const auto& c : chunks) {
    CHECK(c.first == next);
    CHECK((c.entries.size() <= segment_bytes || c.count == 1));
    next = c.last() + 1;
  }
  CHECK(next == 103);
  CHECK(tails.read(1, 0, 1 << 20).block->entries.size() == 102);
  auto limited = tails.read(1, 0, 100'000).block;
  CHECK(limited->bytes.size() <= 100'000);
  CHECK(limited->bytes.size() > 90'000);
}

TEST_CASE("flushed chunks leave, and a finished stream with them") {
  Tails tails;
  tails.open(1, 0);
  std::vector<Durable> reached;
  tails.commit(record(1, 1, 40, 4000), 1, reached);
  const size_t chunks = tails.find(1)->chunks.size();
  REQUIRE(chunks > 1);
  CHECK(tails.waiting() == std::vector<StreamKey>{1});
  tails.drop(1, 1);
  CHECK_FALSE(tails.read(1, 0, 100).here);
  CHECK(tails.read(1, tails.find(1)->chunks.front().first - 1, 100).here);
  tails.drop(1, chunks - 1);
  CHECK(tails.bytes() == 0);
  CHECK(tails.end(1)->last == 40);  // it goes on
  CHECK(tails.waiting().empty());
  reached.clear();
  tails.commit(record(1, 41, 1), 2, reached);
  tails.finish(1);
  CHECK(tails.end(1)->finished);
  tails.drop(1, 1);
  CHECK_FALSE(tails.end(1));
  tails.open(2, 0);
  tails.finish(2);
  CHECK_FALSE(tails.end(2));
  tails.open(3, 0);
  tails.commit(record(3, 1, 5), 3, reached);
  tails.forget(3);
  CHECK(tails.bytes() == 0);
}
