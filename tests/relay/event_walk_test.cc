#include "service/relay/event_walk.h"

#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;

namespace {

struct Walked {
  std::vector<Seq> seqs;
  std::string text;
  std::optional<bool> readable;
};

// Walks until `most` events were seen.
std::shared_ptr<Walked> walk(RelayFixture& f, const std::shared_ptr<Stream>& stream, Seq after, Seq upto,
                             size_t most = SIZE_MAX) {
  auto walked = std::make_shared<Walked>();
  walk_events(
      stream, after, upto,
      [walked, most](Seq seq, storage::EventKind kind, std::string_view payload) {
        walked->seqs.push_back(seq);
        if (kind == storage::EventKind::text) walked->text += payload;
        return walked->seqs.size() < most;
      },
      [walked](bool readable) { walked->readable = readable; });
  f.time.settle();
  return walked;
}

}  // namespace

TEST_CASE("a walk sees every durable event once and in order, between its bounds", "[event_walk]") {
  RelayFixture f;
  CAPTURE(f.seed);
  const auto stream = f.stream();
  for (const char* word : {"a", "b", "c", "d"}) f.say_and_commit(word);
  f.say("not durable");
  REQUIRE(stream->durable() == 5);  // the start event is the first
  const auto all = walk(f, stream, 0, all_durable);
  CHECK(all->readable == true);
  CHECK(all->seqs == std::vector<Seq>{1, 2, 3, 4, 5});
  CHECK(all->text == "abcd");
  CHECK(walk(f, stream, 2, 4)->seqs == std::vector<Seq>{3, 4});
  CHECK(walk(f, stream, 5, all_durable)->seqs.empty());
  CHECK(walk(f, stream, 5, all_durable)->readable == true);
}

TEST_CASE("a walk ends where its visitor has seen enough", "[event_walk]") {
  RelayFixture f;
  const auto stream = f.stream();
  for (const char* word : {"a", "b", "c"}) f.say_and_commit(word);
  const auto walked = walk(f, stream, 0, all_durable, 2);
  CHECK(walked->seqs == std::vector<Seq>{1, 2});
  CHECK(walked->readable == true);
}

TEST_CASE("a log that cannot be read is said once", "[event_walk]") {
  RelayFixture f;
  const auto stream = f.stream();
  for (int i = 0; i < 200; ++i) f.say(std::string(1'000, 'x'));  // more than the tail keeps
  f.commit();
  f.log->fail_reads = true;
  const auto walked = walk(f, stream, 0, all_durable);
  CHECK(walked->readable == false);
}
