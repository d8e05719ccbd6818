#include "service/relay/start_at.h"

#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;

namespace {

std::optional<EventId> cursor(const Stream& stream, Seq seq) {
  return EventId{stream.runs().back().token, seq};
}

}  // namespace

TEST_CASE("where a reader begins: no cursor, one of this stream's, another's", "[start_at]") {
  RelayFixture f;
  const auto stream = f.stream(), other = f.stream();
  f.model->calls.at(0)->text("a");
  f.commit();
  REQUIRE(stream->durable() == 2);
  const auto fresh = start_at(*stream, std::nullopt, AtEnd::nothing);
  CHECK(fresh.after == 0);
  CHECK(fresh.verdict == Verdict::start);
  const auto exact = start_at(*stream, cursor(*stream, 2), AtEnd::nothing);
  CHECK(exact.after == 2);
  CHECK(exact.verdict == Verdict::exact);
  CHECK_FALSE(exact.has_all);  // it may have everything so far, but the stream goes on
  for (const auto& wrong : {cursor(*stream, 3), cursor(*other, 1)}) {
    const auto reset = start_at(*stream, wrong, AtEnd::nothing);
    CHECK(reset.after == 0);
    CHECK(reset.verdict == Verdict::reset);
  }
}

TEST_CASE("a cursor at the terminal event has it all, or gets that event again", "[start_at]") {
  RelayFixture f;
  const auto stream = f.stream();
  f.model->last().text("a");
  f.model->last().complete();
  f.commit();
  REQUIRE(stream->ended());
  const Seq end = stream->durable();
  const auto nothing = start_at(*stream, cursor(*stream, end), AtEnd::nothing);
  CHECK(nothing.has_all);
  CHECK(nothing.after == end);
  const auto again = start_at(*stream, cursor(*stream, end), AtEnd::end_again);
  CHECK_FALSE(again.has_all);
  CHECK(again.after == end - 1);
  CHECK(again.verdict == Verdict::exact);
  CHECK(start_at(*stream, cursor(*stream, end - 1), AtEnd::end_again).after == end - 1);
}
