#include "service/relay/shard.h"

#include "service/relay/expiry_clock.h"
#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;
using storage::LogState;

namespace {

template <typename T>
struct Answer {
  std::shared_ptr<std::optional<Result<T>>> held = std::make_shared<std::optional<Result<T>>>();
  Completion<T> taker() {
    return [held = held](Result<T> result) { held->emplace(std::move(result)); };
  }
  bool came() const { return held->has_value(); }
  Result<T>& operator*() { return **held; }
};

std::shared_ptr<Stream> finished(RelayFixture& f) {
  const auto stream = f.stream();
  f.say("x");
  f.model->last().complete();
  f.commit();
  return stream;
}

}  // namespace

TEST_CASE("create: the start event is durable before anybody is answered", "[shard]") {
  RelayFixture f;
  f.log->hold_creates = true;
  Answer<CreatedStream> made;
  f.shard->create(f.what(), made.taker());
  f.time.settle();
  CHECK_FALSE(made.came());
  CHECK(f.model->calls.empty());
  f.commit();
  REQUIRE(made.came());
  const auto stream = (*made)->stream;
  CHECK_FALSE((*made)->existing);
  CHECK(stream->durable() == 1);
  CHECK(stream->id().size() == 31);
  CHECK(stream->id().rfind("strm_", 0) == 0);
  CHECK(f.shard->live() == 1);
  CHECK(f.model->calls.size() == 1);
}

TEST_CASE("create: an idempotency key starts one generation, and answers the first stream", "[shard]") {
  RelayFixture f;
  f.log->hold_creates = true;
  NewStream what = f.what();
  what.idempotency_key = "k";
  what.body_hash = "body";
  Answer<CreatedStream> first, twin, other;
  f.shard->create(what, first.taker());
  f.shard->create(what, twin.taker());
  what.body_hash = "another";
  f.shard->create(what, other.taker());
  f.commit();
  CHECK((*twin)->existing);
  CHECK((*twin)->stream == (*first)->stream);
  CHECK((*other).error().code == Errc::key_reused);
  CHECK(f.model->calls.size() == 1);
  f.model->last().complete();
  f.commit();
  *first.held = std::nullopt;
  *twin.held = std::nullopt;
  what.body_hash = "body";
  f.log->hold_creates = false;
  const auto later = f.create(what);  // it has ended, and nobody reads it
  CHECK(later->existing);
  CHECK(later->stream->ended());
  CHECK(f.model->calls.size() == 1);
}

TEST_CASE("create: refusals, each by its reason", "[shard]") {
  Options options;
  options.live_streams = 2;
  options.queued_streams = 0;
  SECTION("too many live streams, those being created included") {
    RelayFixture f(options);
    f.stream();
    f.log->hold_creates = true;
    Answer<CreatedStream> second, third;
    f.shard->create(f.what(), second.taker());
    f.shard->create(f.what(), third.taker());
    CHECK((*third).error().code == Errc::overloaded);
    f.commit();
    CHECK((*second).has_value());
  }
  SECTION("too many wait for this upstream") {
    RelayFixture f(options, 1);
    f.stream();
    CHECK(f.create(f.what()).error().code == Errc::overloaded);
  }
  SECTION("draining") {
    RelayFixture f;
    f.shard->drain(1'000, [] {});
    CHECK(f.create(f.what()).error().code == Errc::draining);
  }
  SECTION("a log that cannot commit") {
    RelayFixture f;
    f.log->set_state(GENERATE(LogState::stalled, LogState::failed));
    CHECK(f.create(f.what()).error().code == Errc::log_unavailable);
  }
  SECTION("a place is free again after a failure") {
    RelayFixture f(options);
    f.log->hold_creates = true;
    NewStream what = f.what();
    what.idempotency_key = "k";
    what.body_hash = "1";
    Answer<CreatedStream> first, second;
    f.shard->create(what, first.taker());
    what.body_hash = "2";
    f.shard->create(what, second.taker());
    f.commit();
    CHECK((*second).error().code == Errc::key_reused);
    f.log->hold_creates = false;
    CHECK(f.create(f.what()).has_value());
  }
}

TEST_CASE("open: one object for a stream, live or read back", "[shard]") {
  RelayFixture f;
  auto live = f.stream();
  const std::string id = live->id(), run = live->runs()[0].token;
  Answer<std::shared_ptr<Stream>> a, b, c, unknown, unknown_run;
  f.shard->open(id, a.taker());
  f.shard->open_run(run, b.taker());
  f.shard->open("strm_none", unknown.taker());
  f.shard->open_run("zzzzzzzzzz", unknown_run.taker());
  f.time.settle();
  CHECK(**a == live);
  CHECK(**b == live);
  CHECK((*unknown).error().code == Errc::not_found);
  CHECK((*unknown_run).error().code == Errc::not_found);
  f.model->last().complete();
  f.commit();
  live.reset();
  *a.held = *b.held = std::nullopt;
  CHECK_FALSE(f.shard->in_memory(id));
  f.shard->open(id, a.taker());
  f.shard->open_run(run, b.taker());
  f.shard->open(id, c.taker());
  f.time.settle();
  CHECK(**a == **b);
  CHECK(**a == **c);
  CHECK((**a)->ended());
  CHECK((**a)->status() == "completed");
}

TEST_CASE("open_run: a stream that ends while its row is on the way", "[shard]") {
  RelayFixture f;
  const std::string run = f.stream()->runs()[0].token;
  Answer<std::shared_ptr<Stream>> found;
  f.shard->open_run(run, found.taker());  // the row says that it runs
  f.model->last().complete();
  f.log->commit();
  REQUIRE(f.shard->live() == 0);
  f.time.settle();
  REQUIRE(found.came());
  REQUIRE((*found).has_value());
  CHECK((**found)->ended());
}

TEST_CASE("remove: a live stream is cancelled, its reader gets the end, then it is gone", "[shard]") {
  RelayFixture f;
  auto stream = f.stream();
  const std::string id = stream->id();
  Reading reader(stream);
  Answer<bool> removed;
  f.shard->remove(id, removed.taker());
  CHECK(f.model->open() == 0);
  f.time.settle();
  CHECK_FALSE(removed.came());
  f.commit();
  f.time.advance(20);
  f.commit();
  REQUIRE(removed.came());
  CHECK(**removed);
  CHECK(reader.ended);
  CHECK_FALSE(f.shard->in_memory(id));
  Answer<std::shared_ptr<Stream>> again;
  f.shard->open(id, again.taker());
  f.time.settle();
  CHECK((*again).error().code == Errc::gone);
  Answer<bool> twice;
  f.shard->remove(id, twice.taker());
  f.time.settle();
  CHECK((*twice).error().code == Errc::gone);
}

TEST_CASE("remove: a reader that does not finish is cut after two seconds", "[shard]") {
  RelayFixture f;
  const auto stream = f.stream();
  Reading slow(stream, 0, true, true);
  Answer<bool> removed;
  f.shard->remove(stream->id(), removed.taker());
  f.commit();
  f.time.advance(1'980);
  CHECK_FALSE(removed.came());
  f.time.advance(40);
  f.commit();
  REQUIRE(removed.came());
  CHECK(slow.cut_off);
  CHECK(slow.reason == CutReason::removed);
}

TEST_CASE("remove: twice at once, unknown, and with a log that fails", "[shard]") {
  RelayFixture f;
  Answer<bool> unknown, one, two, lost;
  f.shard->remove("strm_none", unknown.taker());
  const auto stream = f.stream();
  f.shard->remove(stream->id(), one.taker());
  f.shard->remove(stream->id(), two.taker());
  f.commit();
  f.commit();
  CHECK((*unknown).error().code == Errc::not_found);
  CHECK((*one).has_value());
  CHECK(two.came());
  const auto other = f.stream();
  f.shard->remove(other->id(), lost.taker());
  f.log->set_state(LogState::failed);
  f.time.settle();
  CHECK((*lost).error().code == Errc::log_unavailable);
}

TEST_CASE("drain: at once when nothing runs", "[shard]") {
  RelayFixture f;
  bool done = false;
  f.shard->drain(25'000, [&] { done = true; });
  CHECK(f.shard->draining());
  f.time.settle();
  CHECK(done);
}

TEST_CASE("drain: what runs may finish, what does not is interrupted and says so", "[shard]") {
  RelayFixture f;
  const auto quick = f.stream(), endless = f.stream();
  Reading reader(endless);
  bool done = false;
  f.shard->drain(25'000, [&] { done = true; });
  f.model->calls[0]->complete();
  f.commit();
  CHECK(quick->status() == "completed");
  f.time.advance(24'900);
  f.model->calls[1]->text("still");
  f.commit();
  CHECK(reader.text() == "still");
  CHECK_FALSE(done);
  f.time.advance(120);
  CHECK_FALSE(done);  // not before it is durable
  f.commit();
  CHECK(done);
  CHECK(endless->status() == "interrupted");
  CHECK(reader.ended);
  CHECK(f.done(*endless)["error"]["code"] == "relay_drained");
  CHECK(f.done(*endless)["error"]["retryable"] == true);
}

TEST_CASE("drain: a stream that is being created counts", "[shard]") {
  RelayFixture f;
  f.log->hold_creates = true;
  Answer<CreatedStream> made;
  f.shard->create(f.what(), made.taker());
  bool done = false;
  f.shard->drain(1'000, [&] { done = true; });
  f.time.settle();
  CHECK_FALSE(done);
  SECTION("created in time") {
    f.commit();
  }
  SECTION("created when the time was over") {
    f.time.advance(1'020);
    f.commit();
    CHECK(f.model->open() == 0);
  }
  REQUIRE((*made).has_value());
  CHECK_FALSE(done);
  f.time.advance(1'020);
  f.commit();
  CHECK(done);
  CHECK((*made)->stream->status() == "interrupted");
}

TEST_CASE("drain: a log that fails ends it", "[shard]") {
  RelayFixture f;
  f.stream();
  bool done = false;
  f.shard->drain(25'000, [&] { done = true; });
  f.log->set_state(LogState::failed);
  f.time.settle();
  CHECK(done);
}

TEST_CASE("a log that stalls for too long closes the generations, a short stall does not", "[shard]") {
  RelayFixture f;
  const auto stream = f.stream();
  f.log->set_state(LogState::stalled);
  f.time.advance(29'900);
  f.log->set_state(LogState::healthy);
  f.time.advance(30'000);
  CHECK(f.model->open() == 1);
  f.log->set_state(LogState::stalled);
  f.time.advance(29'900);
  CHECK(f.model->open() == 1);
  f.time.advance(200);
  CHECK(f.model->open() == 0);
  CHECK(stream->status() == "streaming");
  f.log->set_state(LogState::healthy);
  f.commit();
  CHECK(stream->status() == "failed");
  CHECK(f.done(*stream)["error"]["code"] == "log_unavailable");
}

TEST_CASE("retention: finished streams go after their time, live ones never", "[shard]") {
  Options options;
  options.retention_ms = 10'000;
  RelayFixture f(options);
  finished(f);
  const auto live = f.stream();
  f.time.advance(9'000);
  CHECK(f.log->removed.empty());
  f.time.advance(2'600);
  f.time.advance(2'600);
  CHECK(f.log->removed.size() == 1);
  CHECK(f.log->size() == 1);
  f.time.advance(100'000);
  CHECK(f.shard->in_memory(live->id()));
}

TEST_CASE("retention: a log that is busy when it is due does it soon after", "[shard]") {
  Options options;
  options.retention_ms = 400'000;
  RelayFixture f(options);
  finished(f);
  f.time.advance(350'000);
  f.log->set_state(LogState::stalled);
  f.time.advance(60'000);  // due, and not possible
  CHECK(f.log->removed.empty());
  f.log->set_state(LogState::healthy);
  f.time.advance(2'100);
  CHECK(f.log->removed.size() == 1);
}

TEST_CASE("retention: a clock that jumps a day ahead removes nothing before its time", "[shard]") {
  Options options;
  options.retention_ms = 10'000;
  RelayFixture f(options);
  finished(f);
  f.time.advance(2'600);
  f.time.clock.wall_from_ms += 24 * 3600 * 1000;
  for (int i = 0; i < 2; ++i) f.time.advance(2'600);
  CHECK(f.log->removed.empty());  // 7.8 s old
  finished(f);
  for (int i = 0; i < 2; ++i) f.time.advance(2'600);
  CHECK(f.log->removed.size() == 1);  // the first had its time; the second has not
  for (int i = 0; i < 5; ++i) f.time.advance(2'600);
  CHECK(f.log->removed.size() == 2);
}

TEST_CASE("retention: a clock that is set back removes nothing early", "[shard]") {
  ExpiryClock clock;
  constexpr int64_t day = 24 * 3600 * 1000, retention = 100'000;
  int64_t wall = 10 * day, mono = 0;
  CHECK(clock.now_ms(wall, mono, retention) == wall);
  wall += day + 60'000, mono += 60'000;
  CHECK(clock.now_ms(wall, mono, retention) == wall - day);
  wall += 30'000 - day, mono += 30'000;  // set right again
  CHECK(clock.now_ms(wall, mono, retention) == wall);
  wall += 30'000 - day, mono += 30'000;
  CHECK(clock.now_ms(wall, mono, retention) == wall);
  wall += 2 * day, mono += 30'000;
  CHECK(clock.now_ms(wall, mono, retention) == wall - 2 * day + 30'000);
  wall += retention, mono += retention;
  CHECK(clock.now_ms(wall, mono, retention) == wall);
  wall += 60'500, mono += 60'000;  // steered by NTP: no jump
  CHECK(clock.now_ms(wall, mono, retention) == wall);
}

TEST_CASE("a commit that hangs for too long closes the generations, as a log that cannot commit does", "[shard]") {
  Options options;
  options.log_stall_ms = 30'000;
  RelayFixture f(options);
  const auto stream = f.stream();
  f.log->stalled_ms = storage::slow_commit_ms + 1;
  f.time.advance(20'000);
  CHECK(f.model->open() == 1);
  for (int i = 0; i < 30; ++i) f.time.advance(1'000);
  CHECK(f.model->open() == 0);
}

TEST_CASE("reload: those who run or wait keep their places, and count", "[shard]") {
  RelayFixture f({}, 1);
  f.stream();
  f.stream();
  CHECK(f.model->open() == 1);
  const auto old = f.upstream;
  const auto reload = [&f](uint32_t most) {
    f.upstream = std::make_shared<Upstream>("up", f.model, std::vector<std::string>{}, most);
    f.shard->reload(std::make_shared<Options>(f.options), f.table());
    f.time.settle();
  };
  reload(1);
  f.stream();
  CHECK(f.model->open() == 1);
  CHECK(f.upstream->slots->waiting() == 2);
  reload(2);
  CHECK(f.model->open() == 2);
  reload(1);
  f.model->last().complete();
  f.commit();
  CHECK(f.model->open() == 1);
  CHECK(old->slots == f.upstream->slots);
}

TEST_CASE("retention: a stream being read is spared for a while, then its readers are cut", "[shard]") {
  Options options;
  options.retention_ms = 10'000;
  options.retention_reader_grace_ms = 20'000;
  RelayFixture f(options);
  const auto stream = f.stream();
  Reading slow(stream, 0, true, true);
  f.model->last().complete();
  f.commit();
  for (int i = 0; i < 5; ++i) f.time.advance(2'600);
  CHECK(f.log->removed.empty());
  CHECK_FALSE(slow.cut_off);
  for (int i = 0; i < 10; ++i) f.time.advance(2'600);
  CHECK(f.log->removed.size() == 1);
  CHECK(slow.cut_off);
  CHECK(slow.reason == CutReason::retention);
}

TEST_CASE("retention: more than one batch is removed without waiting for the next round", "[shard]") {
  Options options;
  options.retention_ms = 4'000'000;
  RelayFixture f(options);
  for (int i = 0; i < 450; ++i) finished(f);
  f.time.advance(4'000'100);
  for (int i = 0; i < 4; ++i) f.time.advance(600);
  CHECK(f.log->removed.size() == 450);
}

TEST_CASE("retention: over the bytes, the oldest go first", "[shard]") {
  Options options;
  options.retention_bytes = 100'000;
  RelayFixture f(options);
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    const auto stream = f.stream();
    ids.push_back(stream->id());
    for (int n = 0; n < 4; ++n) f.say(std::string(15'000, 'x'));
    f.model->last().complete();
    f.commit();
  }
  f.time.advance(61'000);
  CHECK(f.log->removed == std::vector<std::string>{ids[0], ids[1]});
}
