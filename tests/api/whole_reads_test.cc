#include "service/api/whole_reads.h"

#include <vector>

#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"

using namespace tokenrelay;
using api::WholeReads;
using SharePtr = WholeReads::SharePtr;

namespace {

constexpr size_t kib = 1 << 10;

struct Budget {
  support::ManualLoop time;
  uint64_t limit = 1000 * kib;
  WholeReads reads{time.loop, [this] { return limit; }};

  struct Asked {
    bool told = false;
    SharePtr share;
  };
  std::shared_ptr<Asked> ask(size_t bytes, int64_t wait_ms = 1'000) {
    auto asked = std::make_shared<Asked>();
    reads.ask(bytes, wait_ms, [asked](SharePtr share) {
      CHECK_FALSE(asked->told);
      asked->told = true;
      asked->share = std::move(share);
    });
    return asked;
  }
};

}  // namespace

TEST_CASE("a share is given at once where there is room, and given back when it goes", "[whole_reads]") {
  Budget b;
  auto one = b.ask(600 * kib), two = b.ask(400 * kib);
  REQUIRE(one->share);
  REQUIRE(two->share);
  CHECK(b.reads.held_bytes() == 1000 * kib);
  one->share.reset();
  CHECK(b.reads.held_bytes() == 400 * kib);
  two->share.reset();
  CHECK(b.reads.held_bytes() == 0);
  CHECK(b.reads.refused() == 0);
}

TEST_CASE("nobody waits behind a request that is not wanted any more", "[whole_reads]") {
  Budget b;
  auto holds = b.ask(900 * kib);
  bool wanted = true, told = false;
  b.reads.ask(
      500 * kib, 60'000, [&](const SharePtr&) { told = true; }, [&] { return wanted; });
  auto behind = b.ask(100 * kib, 5'000);
  CHECK_FALSE(behind->told);  // it would fit, but others were first
  wanted = false;
  auto next = b.ask(20 * kib + WholeReads::free_bytes, 5'000);
  holds->share.reset();
  b.time.settle();
  CHECK(behind->share);
  CHECK(next->share);
  CHECK_FALSE(told);
}

TEST_CASE("over the budget a read waits its turn, and is refused when its time is over", "[whole_reads]") {
  Budget b;
  auto holds = b.ask(900 * kib);
  auto waits = b.ask(200 * kib, 1'000), longer = b.ask(300 * kib, 5'000);
  b.time.advance(900);
  CHECK_FALSE(waits->told);
  b.time.advance(200);
  CHECK(waits->told);
  CHECK_FALSE(waits->share);
  CHECK(b.reads.refused() == 1);
  CHECK_FALSE(longer->told);
  holds->share.reset();
  CHECK_FALSE(longer->told);  // not from inside somebody's end
  b.time.settle();
  REQUIRE(longer->share);
  CHECK(b.reads.held_bytes() == 300 * kib);
  b.time.advance(10'000);
  CHECK(b.reads.refused() == 1);
}

TEST_CASE("they come in turn: a small read does not pass a large one, and has its own once that is gone",
          "[whole_reads]") {
  Budget b;
  auto holds = b.ask(500 * kib);
  auto large = b.ask(900 * kib, 1'000), small = b.ask(100 * kib, 5'000);
  b.time.settle();
  CHECK_FALSE(small->told);
  b.time.advance(1'100);
  b.time.settle();
  CHECK(large->told);
  CHECK_FALSE(large->share);
  CHECK(small->share);
}

TEST_CASE("one that is larger than all of it is read alone, and nothing beside it", "[whole_reads]") {
  Budget b;
  auto small = b.ask(100 * kib);
  auto huge = b.ask(5000 * kib), next = b.ask(100 * kib);
  b.time.settle();
  CHECK_FALSE(huge->told);
  small->share.reset();
  b.time.settle();
  REQUIRE(huge->share);
  CHECK_FALSE(next->told);
  CHECK(huge->share->resize(6000 * kib));  // alone it may grow too
  huge->share.reset();
  b.time.settle();
  CHECK(next->share);
}

TEST_CASE("what is no more than a reader's block is free, however many and however full", "[whole_reads]") {
  Budget b;
  auto all = b.ask(1000 * kib);
  auto waits = b.ask(100 * kib);
  std::vector<SharePtr> many;
  for (int i = 0; i < 100; ++i) {
    many.push_back(b.ask(WholeReads::free_bytes)->share);
    REQUIRE(many.back());
  }
  CHECK(b.reads.held_bytes() == 1000 * kib);
  CHECK_FALSE(many[0]->resize(WholeReads::free_bytes + 1));  // and is counted whole from there on
  all->share.reset();
  CHECK(many[0]->resize(WholeReads::free_bytes + 1));
  CHECK(b.reads.held_bytes() == WholeReads::free_bytes + 1);
}

TEST_CASE("a share grows where there is room, keeps what it had where there is none, and shrinks", "[whole_reads]") {
  Budget b;
  auto one = b.reads.none(), two = b.reads.none();
  CHECK(one->grow_to(600 * kib));
  CHECK(one->grow_to(100 * kib));  // it has that
  CHECK(one->bytes() == 600 * kib);
  CHECK(two->grow_to(400 * kib));
  CHECK_FALSE(two->grow_to(401 * kib));
  CHECK(two->bytes() == 400 * kib);
  CHECK(b.reads.refused() == 1);
  auto waits = b.ask(300 * kib);
  CHECK(one->resize(200 * kib));
  b.time.settle();
  CHECK(waits->share);
  CHECK(b.reads.held_bytes() == 900 * kib);
}

TEST_CASE("a reload moves the bound", "[whole_reads]") {
  Budget b;
  auto one = b.ask(900 * kib);
  auto waits = b.ask(900 * kib, 60'000);
  b.limit = 2000 * kib;
  auto third = b.ask(100 * kib, 60'000);
  b.time.settle();
  CHECK_FALSE(third->told);  // behind the one that waits
  one->share.reset();
  b.time.settle();
  CHECK(waits->share);
  CHECK(third->share);
}

TEST_CASE("a share outlives the budget; who still waits is not called", "[whole_reads]") {
  support::ManualLoop time;
  auto reads = std::make_unique<WholeReads>(time.loop, [] { return 1000 * kib; });
  SharePtr share;
  bool called = false;
  reads->ask(900 * kib, 1'000, [&](SharePtr got) { share = std::move(got); });
  reads->ask(900 * kib, 1'000, [&](const SharePtr&) { called = true; });
  CHECK(share->resize(100 * kib));
  reads.reset();
  share.reset();
  time.settle();
  time.advance(2'000);
  CHECK_FALSE(called);
}
