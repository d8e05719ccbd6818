#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;

TEST_CASE("a reader that keeps up gets every delta by itself", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading reader(stream);
  for (const char* delta : {"Hel", "lo", "!"}) f.say_and_commit(delta);
  f.model->last().complete();
  f.commit();
  CHECK(reader.names() == std::vector<std::string>{"start", "", "", "", "done"});
  CHECK(reader.text() == "Hello!");
  CHECK(reader.ended);
  CHECK(stream->subscribers() == 0);
}

TEST_CASE("several deltas of one commit reach a reader that keeps up one by one, in one write", "[subscriber]") {
  RelayFixture f;
  Reading reader(f.stream());
  f.say("a");
  f.say("b");
  f.commit();
  CHECK(reader.names() == std::vector<std::string>{"start", "", ""});
  CHECK(reader.writes == 2);
}

TEST_CASE("a reader that is behind gets deltas merged, and only then", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading slow(stream, 0, true, true), exact(stream, 0, false, true);
  const size_t deltas = GENERATE(64, 65, 120);
  for (size_t i = 0; i < deltas; ++i) f.say("x");
  f.commit();
  slow.make_room();
  exact.make_room();
  CHECK(slow.events.size() == (deltas <= 64 ? 1 + deltas : 2));
  CHECK(exact.events.size() == 1 + deltas);
  CHECK(slow.text() == std::string(deltas, 'x'));
  CHECK(slow.seq(slow.events.size() - 1) == deltas + 1);
}

TEST_CASE("while the machine is full readers get what one commit brings merged, unless they asked for the originals",
          "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading one(stream), two(stream), exact(stream, 0, false);
  f.log->late_ms = 100;
  for (const char* delta : {"a", "b", "c"}) f.say(delta);
  f.commit();
  f.say_and_commit("d");
  for (const Reading* merged : {&one, &two}) {
    CHECK(merged->names() == std::vector<std::string>{"start", "", ""});
    CHECK(merged->text() == "abcd");
    CHECK(merged->seq(1) == 4);
  }
  CHECK(exact.names() == std::vector<std::string>{"start", "", "", "", ""});
  CHECK(exact.text() == "abcd");
  f.log->late_ms = 0;
  f.say("e");
  f.say("f");
  f.commit();
  CHECK(one.events.size() == 5);
  CHECK(one.text() == "abcdef");
}

TEST_CASE("a replay is merged even when it is short", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  f.say("a");
  f.say("b");
  f.commit();
  CHECK(Reading(stream).names() == std::vector<std::string>{"start", ""});
  CHECK(Reading(stream, 0, false).names() == std::vector<std::string>{"start", "", ""});
  Reading resumed(stream, 2);
  CHECK(resumed.text() == "b");
  CHECK(resumed.seq(0) == 3);
}

TEST_CASE("a slow sink is sent nothing until it has room, then everything", "[subscriber]") {
  RelayFixture f;
  Reading slow(f.stream(), 0, true, true);
  CHECK(slow.writes == 1);
  for (int i = 0; i < 10; ++i) f.say_and_commit(std::to_string(i));
  CHECK(slow.writes == 1);
  slow.make_room();
  CHECK(slow.writes == 2);
  CHECK(slow.text() == "0123456789");
}

TEST_CASE("a reader behind the tail reads the log, in blocks of bounded size", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading slow(stream, 0, true, true), exact(stream, 0, false, true);
  std::string whole;
  for (int i = 0; i < 100; ++i) {
    whole += std::string(7'000, static_cast<char>('a' + i % 26));
    f.say_and_commit(whole.substr(whole.size() - 7'000));
  }
  REQUIRE_FALSE(stream->tail().holds(2));
  for (int turn = 0; turn < 200 && (slow.text().size() < whole.size() || exact.text().size() < whole.size()); ++turn) {
    if (!slow.room) slow.make_room();
    if (!exact.room) exact.make_room();
    f.time.settle();
  }
  CHECK(slow.text() == whole);
  CHECK(exact.text() == whole);
  CHECK(exact.events.size() == 101);
  CHECK(slow.biggest < (80 << 10));
  CHECK(f.log->reads > 0);
}

TEST_CASE("readers at the same place share one read", "[subscriber]") {
  RelayFixture f;
  auto stream = f.stream();
  f.say_and_commit("x");
  f.model->last().complete();
  f.commit();
  const std::string id = stream->id();
  stream.reset();
  f.time.settle();
  std::shared_ptr<Stream> read_back;
  f.shard->open(id, [&](Result<std::shared_ptr<Stream>> found) { read_back = found.value(); });
  f.time.settle();
  REQUIRE(read_back);
  const size_t before = f.log->reads;
  Reading a(read_back), b(read_back), c(read_back);
  f.time.settle();
  for (const auto* reader : {&a, &b, &c}) {
    CHECK(reader->text() == "x");
    CHECK(reader->ended);
  }
  CHECK(f.log->reads == before + 1);
}

TEST_CASE("a log that cannot be read cuts the reader, and nobody else", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading keeps_up(stream), slow(stream, 0, true, true);
  for (int i = 0; i < 100; ++i) f.say_and_commit(std::string(7'000, 'x'));
  f.log->fail_reads = true;
  slow.make_room();
  f.time.settle();
  CHECK(slow.cut_off);
  CHECK(slow.reason == CutReason::unreadable);
  CHECK_FALSE(keeps_up.cut_off);
  CHECK(stream->subscribers() == 1);
}

TEST_CASE("a reader that leaves while its read is under way", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  auto leaving = std::make_unique<Reading>(stream, 0, true, true);
  Reading staying(stream, 0, true, true);
  for (int i = 0; i < 100; ++i) f.say_and_commit(std::string(7'000, 'x'));
  f.log->hold_reads = true;
  leaving->make_room();
  staying.make_room();
  SECTION("destroyed") {
    leaving.reset();
  }
  SECTION("detached") {
    leaving->subscriber->detach(false);
  }
  SECTION("cut") {
    leaving->subscriber->cut(CutReason::shutdown);
  }
  f.log->release_reads();
  f.time.settle();
  CHECK(staying.writes == 2);
  CHECK(stream->subscribers() == 1);
}

// The log commits on a thread of its own: a read may come back with events that the stream has not heard of yet.
TEST_CASE("what the log holds but has not reported stays invisible, and the end is still an end", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  const bool coalesce = GENERATE(true, false);
  Reading slow(stream, 0, coalesce, true);
  for (int i = 0; i < 100; ++i) f.say_and_commit(std::string(7'000, 'x'));
  for (int i = 0; i < 300; ++i) {  // to the last block
    slow.make_room();
    f.time.settle();
    if (slow.subscriber->position() + 5 > stream->durable()) break;
    if (!stream->tail().holds(slow.subscriber->position() + 1)) continue;
    break;
  }
  Reading fresh(stream, 0, coalesce, true);  // at the start again, where only the log has the events
  const Seq told = stream->durable();
  f.log->hold_reads = true;
  fresh.make_room();
  f.say("secret");
  f.model->last().complete();
  f.log->commit_silently();
  f.log->release_reads();
  for (int i = 0; i < 300 && fresh.subscriber->position() < told; ++i) {
    f.time.settle();
    if (!fresh.room) fresh.make_room();
  }
  CHECK(fresh.subscriber->position() == told);
  CHECK(fresh.text().find("secret") == std::string::npos);
  f.log->report();
  for (int i = 0; i < 10 && !fresh.ended; ++i) {
    f.time.settle();
    if (!fresh.room) fresh.make_room();
  }
  CHECK(fresh.ended);
  CHECK(fresh.text() == std::string(700'000, 'x') + "secret");
}

TEST_CASE("an unreported end that a short stream's reader reads from the log", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  std::string whole;
  for (int i = 0; i < 45; ++i) {  // just over the tail, so that one block reaches from the log's part to the end
    f.say_and_commit(std::string(6'000, 'y'));
    whole += std::string(6'000, 'y');
  }
  const Seq first = stream->tail().first();
  REQUIRE(first > 3);
  Reading reader(stream, first - 2, false, true);
  const size_t unread = static_cast<size_t>(stream->durable() - (first - 2));
  f.log->hold_reads = true;
  reader.make_room();
  f.model->last().complete();
  f.log->commit_silently();
  f.log->release_reads();
  for (int i = 0; i < 50; ++i) {
    f.time.settle();
    if (!reader.room) reader.make_room();
  }
  CHECK(reader.events.size() == unread);
  CHECK_FALSE(reader.ended);
  f.log->report();
  f.time.settle();
  if (!reader.room) reader.make_room();
  CHECK(reader.ended);
}

TEST_CASE("readers that leave inside their turn, among many", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  std::vector<std::unique_ptr<Reading>> readers;
  for (int i = 0; i < 50; ++i) readers.push_back(std::make_unique<Reading>(stream));
  for (size_t i = 0; i < readers.size(); i += 3) {
    readers[i]->on_send = [r = readers[i].get()] { r->subscriber->detach(false); };
  }
  readers[1]->on_send = [&] {  // one that takes others with it
    readers[4]->subscriber->detach(false);
    readers[49]->subscriber->detach(false);
  };
  f.say_and_commit("a");
  f.say_and_commit("b");
  size_t left = 0;
  for (size_t i = 0; i < readers.size(); ++i) {
    if (i == 4) continue;  // taken before or after its turn
    const bool leaves = i % 3 == 0 || i == 49;
    left += leaves ? 1 : 0;
    CHECK(readers[i]->text() == (leaves ? "a" : "ab"));
  }
  CHECK(left == 18);
  CHECK(stream->subscribers() == readers.size() - left - 1);
}

TEST_CASE("a cut is told once, and nothing comes after it", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading reader(stream);
  reader.subscriber->cut(CutReason::shutdown);
  reader.subscriber->cut(CutReason::shutdown);
  f.say_and_commit("x");
  reader.subscriber->pump();
  CHECK(reader.cut_off);
  CHECK(reader.writes == 1);
}

TEST_CASE("when the log has failed, a reader is cut after what is durable, however it was served", "[subscriber]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading slow(stream, 0, true, true);
  f.say_and_commit("a");
  f.log->set_state(storage::LogState::failed);
  f.time.settle();
  CHECK_FALSE(slow.cut_off);  // it has not had what is durable yet
  slow.slow = false;
  slow.make_room();
  f.time.settle();
  CHECK(slow.text() == "a");
  CHECK(slow.cut_off);
  Reading exact(stream, 0, false), one_behind(stream, 1), at_the_end(stream, 2);
  f.time.settle();
  for (const Reading* late : {&exact, &one_behind}) CHECK(late->text() == "a");
  for (const Reading* late : {&exact, &one_behind, &at_the_end}) {
    CHECK(late->cut_off);
    CHECK(late->reason == CutReason::log_failed);
  }
}
