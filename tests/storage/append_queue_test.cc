#include "storage/append_queue.h"

#include <thread>

#include "storage/journal.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;
using namespace std::chrono_literals;

namespace {

void append(AppendQueue& q, StreamKey key, Seq seq, const std::string& text) {
  EventView e{EventKind::text, text};
  q.append(key, seq, {&e, 1});
}

}  // namespace

TEST_CASE("what the loop appends arrives in order, and is counted until it is settled") {
  AppendQueue q;
  CHECK(q.take() == nullptr);
  append(q, 1, 2, "a");
  append(q, 2, 2, "b");
  q.finish({1, 3, 100, {"completed", "{}", 5}});
  CHECK(q.holds_finish());
  CHECK(q.uncommitted_bytes() == 3 * (record_head + entry_head) + 4);
  auto batch = q.take();
  REQUIRE(batch);
  CHECK(batch->events == 3);
  CHECK(batch->finishes.size() == 1);
  seal_row(batch->row, 1);
  RecordReader walk(*open_row(batch->row, 1));
  std::vector<std::pair<StreamKey, Seq>> seen;
  for (Record r; walk.next(r);) seen.emplace_back(r.key, r.first);
  CHECK(seen == std::vector<std::pair<StreamKey, Seq>>{{1, 2}, {2, 2}, {1, 3}});
  q.settled(batch->waiting_bytes());
  CHECK(q.uncommitted_bytes() == 0);
  CHECK_FALSE(q.holds_finish());
}

TEST_CASE("a batch is bounded in bytes and in operations") {
  AppendQueue q;
  for (Seq seq = 1; seq <= 40; ++seq) append(q, 1, seq, std::string(100'000, 'x'));
  append(q, 1, 41, std::string(3 << 20, 'x'));
  for (int i = 0; i < 1200; ++i) q.remove({"strm", 1, nullptr});
  size_t batches = 0, events = 0, removes = 0;
  while (auto b = q.take()) {
    ++batches;
    CHECK((b->row.size() <= (1 << 20) || b->events == 1));
    CHECK(b->operations() <= 512);
    events += b->events;
    removes += b->removes.size();
  }
  CHECK(batches >= 7);
  CHECK(events == 41);
  CHECK(removes == 1200);
}

TEST_CASE("waiting creates can be taken out and refused") {
  AppendQueue q;
  NewStream s;
  s.stream_id = "strm_a";
  q.create({s, nullptr});
  append(q, 1, 2, "a");
  auto creates = q.take_creates();
  REQUIRE(creates.size() == 1);
  CHECK(creates[0].stream.stream_id == "strm_a");
  auto batch = q.take();
  CHECK(batch->creates.empty());
  q.settled(batch->waiting_bytes());
  CHECK(q.uncommitted_bytes() == 0);
}

TEST_CASE("the writer waits for work, for a time, or for the end") {
  AppendQueue q;
  CHECK(q.wait(Clock::now() + 5ms) == AppendQueue::Woken::deadline);
  std::thread loop([&] { append(q, 1, 2, "a"); });
  CHECK(q.wait(Clock::now() + 30s) == AppendQueue::Woken::work);
  loop.join();
  CHECK_FALSE(q.pause(Clock::now() + 1ms));
  std::thread closer([&] { q.stop(); });
  CHECK(q.pause(Clock::now() + 30s));
  closer.join();
  CHECK(q.wait(Clock::now() + 30s) == AppendQueue::Woken::work);  // what is there is still to be committed
  q.take();
  CHECK(q.wait(Clock::now() + 30s) == AppendQueue::Woken::stop);
}
