#include "storage/segment.h"

#include "storage/journal.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;

namespace {

std::string entries_of(size_t count, size_t bytes) {
  std::string out;
  for (size_t i = 0; i < count; ++i) {
    std::string payload = std::to_string(i) + std::string(bytes, 'x');
    append_entry(out, {EventKind::text, payload});
  }
  return out;
}

}  // namespace

TEST_CASE("segment ids order streams and seqs, and name both") {
  CHECK(segment_id(max_key, max_seq) > 0);
  CHECK(segment_id(5, max_seq) < segment_id(6, 0));
  CHECK(key_of_segment(segment_id(5, 77)) == 5);
  CHECK(first_of_segment(segment_id(5, 77)) == 77);
}

TEST_CASE("a segment answers from any seq, up to about a size") {
  const size_t count = 500, bytes = 100;
  const int64_t id = segment_id(3, 10);
  const std::string body = encode_segment(id, count, entries_of(count, bytes));
  for (Seq from : {Seq{10}, Seq{11}, Seq{50}, Seq{250}, Seq{509}}) {
    auto block = read_segment(id, body, from, 1000);
    REQUIRE(block);
    REQUIRE_FALSE(block->entries.empty());
    CHECK(block->entries.front().seq == from);
    CHECK(block->bytes.size() <= 1000);
    for (size_t i = 0; i < block->entries.size(); ++i) {
      const auto& e = block->entries[i];
      CHECK(e.seq == from + i);
      CHECK(block->payload(e) == std::to_string(e.seq - 10) + std::string(bytes, 'x'));
    }
  }
  CHECK(read_segment(id, body, 10, 1)->entries.size() == 1);
  CHECK(read_segment(id, body, 10, 1 << 20)->entries.size() == count);
  CHECK(read_segment(id, body, 510, 1000)->entries.empty());
}

TEST_CASE("a damaged segment, or another's, is not read") {
  const int64_t id = segment_id(3, 10);
  const std::string body = encode_segment(id, 100, entries_of(100, 200));
  CHECK_FALSE(read_segment(id + 1, body, 10, 100));
  CHECK_FALSE(read_segment(id, "", 10, 100));
  for (size_t i = 0; i < body.size(); i += 97) {
    std::string changed = body;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    CHECK_FALSE(read_segment(id, changed, 10, 100));
    CHECK_FALSE(read_segment(id, body.substr(0, i), 10, 100));
  }
}

TEST_CASE("a block filled from two pieces is one block") {
  Block block;
  const std::string first = entries_of(3, 0), second = entries_of(4, 0);
  REQUIRE(fill_block(block, first, 1, 2, 1000));
  REQUIRE(fill_block(block, second, 4, 2, 1000));
  REQUIRE(block.entries.size() == 6);
  std::string all;
  for (const auto& e : block.entries) all += block.payload(e);
  CHECK(all == "120123");
  Block full = block;
  const size_t bytes = full.bytes.size();
  REQUIRE(fill_block(full, second, 8, 2, bytes));  // no room: nothing is taken
  CHECK(full.bytes.size() == bytes);
  CHECK(full.entries.size() == 6);
}
