// The base of every encoder: blocks, names, ids, numbers, and the way to a protocol's own cursor.
#include "service/surface/encoder.h"

#include "tests/support/catch.h"
#include "tests/surface/wire_events.h"

namespace tokenrelay::surface {
namespace {

using storage::EventKind;

// Two wire events for the start, one a delta, nothing for a steer, a raw end.
class PlainFace final : public Encoder {
 public:
  explicit PlainFace(bool with_ids) : Encoder(with_ids) {}

 private:
  void on_event(EventKind kind, std::string_view payload, uint64_t merged) override {
    if (kind == EventKind::start) {
      write("made", numbered(""));
      write("", numbered(""));
    } else if (kind == EventKind::text) {
      write_delta("said", numbered(payload, merged), merged);
    } else if (kind == EventKind::done) {
      write_raw("data: [DONE]\n\n");
    }
  }
  std::string numbered(std::string_view text, uint64_t merged = 1) {
    return std::to_string(number_of_next(merged)) + std::string(text);
  }
};

const Logged steered = event(EventKind::steer, "{}");

}  // namespace

TEST_CASE("an id stands in the last block of what an event became, and nowhere without ids", "[encoder]") {
  PlainFace encoder(true);
  CHECK(bytes_of({started(), steered, text("a"), done("")}, encoder) ==
        "event: made\ndata: 0\n\ndata: 1\nid: aaaaaaaaaa-1\n\n"
        "event: said\ndata: 2a\nid: aaaaaaaaaa-3\n\n"
        "data: [DONE]\nid: aaaaaaaaaa-4\n\n");
  PlainFace bare(false);
  CHECK(bytes_of({started(), text("a")}, bare) == "event: made\ndata: 0\n\ndata: 1\n\nevent: said\ndata: 2a\n\n");
}

TEST_CASE("a merged delta counts for as many as it stands for and has the last one's number", "[encoder]") {
  PlainFace apart(false), merged(false);
  const auto one = data_of(bytes_of({started(), text("a"), text("b"), text("c"), text("d")}, apart));
  const auto other = data_of(bytes_of({started(), text("abc", 3), text("d")}, merged));
  CHECK(one == std::vector<std::string>{"0", "1", "2a", "3b", "4c", "5d"});
  CHECK(other == std::vector<std::string>{"0", "1", "4abc", "5d"});
  CHECK(apart.next_number() == 6);
  CHECK(merged.next_number() == 6);
  CHECK(merged.seq() == 5);
}

TEST_CASE("what is numbered up to the cursor is counted and not written", "[encoder]") {
  for (const uint64_t cursor : {0, 1, 2, 3}) {
    PlainFace encoder(false);
    encoder.skip_to(cursor);
    const auto lines = data_of(bytes_of({started(), text("a"), text("b")}, encoder));
    CHECK(lines.size() == 3 - cursor);
    if (!lines.empty()) CHECK(lines.front().front() == static_cast<char>('1' + cursor));
    CHECK(encoder.next_number() == 4);
  }
}

}  // namespace tokenrelay::surface
