// Removed means gone from every file, also when it was small, large, in the journal, in segments, or never flushed.
#include "tests/storage/raw_database.h"
#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;

namespace {

std::string secret(int i) {
  return "secret-" + std::to_string(i * 7919 + 1000) + "-tpircsnart";
}

// A stream that carries its secret in every place a client's text can be in.
StreamKey write_secret(SqliteHarness& h, int i, size_t events, size_t bytes) {
  NewStream s = h.stream("strm_" + std::to_string(i));
  s.metadata = "{\"m\":\"" + secret(i) + "\"}";
  s.request = "{\"prompt\":\"" + secret(i) + "\"}" + std::string(bytes, 'p');
  s.start = "{\"start\":\"" + secret(i) + "\"}";
  StreamKey key = h.create(s)->key;
  for (Seq seq = 2; seq < 2 + events; ++seq) h.text(key, seq, secret(i) + std::string(bytes, 't'));
  h.log().finish(key, 2 + events, {"completed", "{\"error\":\"" + secret(i) + "\"}", 2000});
  REQUIRE(h.wait_durable(key, 2 + events));
  return key;
}

// A removal is done when its mark is: every file has been through it.
bool scrubbed(SqliteHarness& h, RawDatabase& raw) {
  return h.eventually([&] { return raw.integer("SELECT count(*) FROM removals") == 0; });
}

}  // namespace

TEST_CASE("a removed stream's bytes leave every file") {
  const bool flushed = GENERATE(false, true);
  SqliteHarness h([&](SqliteLogOptions& o) {
    o.scrub_ms = 10;
    o.checkpoint_ms = 5;
    if (flushed) o.journal_flush_bytes = 1;
  });
  write_secret(h, 1, 50, 100);
  write_secret(h, 2, 3, 0);
  write_secret(h, 3, 30, 15'000);
  StreamKey kept = write_secret(h, 4, 50, 100);
  StreamKey live = h.make("strm_live");  // unfinished, shares the journal's rows with the others
  h.text(live, 2, "goes on");
  REQUIRE(h.wait_durable(live, 2));
  RawDatabase raw(h.database());
  if (flushed) REQUIRE(h.eventually([&] { return h.log().figures().journal_bytes == 0; }));
  for (int i : {1, 2, 3}) REQUIRE(h.on_disk(secret(i)));
  for (int i : {1, 2, 3}) REQUIRE(h.remove("strm_" + std::to_string(i), 10'000));
  REQUIRE(scrubbed(h, raw));
  for (int i : {1, 2, 3}) CHECK_FALSE(h.on_disk(secret(i)));
  CHECK(h.on_disk(secret(4)));
  CHECK(h.events(kept).size() == 52);
  h.finish(live, 3);
  CHECK(h.events(live)[1].payload == "goes on");
}

TEST_CASE("a finished stream's row says about how many bytes it is") {
  SqliteHarness h;
  write_secret(h, 1, 50, 1000);
  const auto row = h.find("strm_1");
  REQUIRE(row);
  CHECK(row->stored_bytes >= 50 * 1000);
  CHECK(row->stored_bytes < 60 * 1000);
  h.make("strm_live");
  CHECK(h.find("strm_live")->stored_bytes == 0);
}

TEST_CASE("removal is finished by the next process where this one stopped") {
  SqliteHarness h([](SqliteLogOptions& o) { o.scrub_ms = 3'600'000; });
  write_secret(h, 1, 50, 100);
  REQUIRE(h.remove("strm_1", 10'000));
  h.shut();
  REQUIRE(h.on_disk(secret(1)));
  h.options().scrub_ms = 10;
  h.reopen();
  RawDatabase raw(h.database());
  REQUIRE(scrubbed(h, raw));
  CHECK_FALSE(h.on_disk(secret(1)));
  CHECK(h.find("strm_1").error().code == Errc::gone);
}

TEST_CASE("of many streams of all sizes none leaves a trace in a page that others use") {
  SqliteHarness h([](SqliteLogOptions& o) {
    o.scrub_ms = 20;
    o.checkpoint_ms = 5;
    o.journal_flush_bytes = 100 << 10;
    o.commit_interval_us = 0;
  });
  constexpr int all_streams = 300;
  for (int i = 0; i < all_streams; ++i)
    write_secret(h, i, static_cast<size_t>(i % 7), static_cast<size_t>((i * i) % 900));
  RawDatabase raw(h.database());
  REQUIRE(h.eventually([&] { return h.log().figures().journal_bytes < 100 << 10; }));
  for (int i = 0; i < all_streams; ++i) {
    if (i % 3 != 0) REQUIRE(h.remove("strm_" + std::to_string(i), 10'000));
  }
  REQUIRE(scrubbed(h, raw));
  int traces = 0;
  for (int i = 0; i < all_streams; ++i) {
    if (i % 3 != 0) traces += h.on_disk(secret(i));
  }
  CHECK(traces == 0);
}
