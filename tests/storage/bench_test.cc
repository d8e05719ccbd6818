// Measures, on request: unit_storage "[.bench]". Prints; asserts only that everything arrived.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>

#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;
using Clock = std::chrono::steady_clock;

namespace {

double cpu_seconds() {
  rusage u{};
  getrusage(RUSAGE_SELF, &u);
  auto s = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6; };
  return s(u.ru_utime) + s(u.ru_stime);
}

double since(Clock::time_point t) {
  return std::chrono::duration<double>(Clock::now() - t).count();
}

struct Commits {
  std::mutex mutex;
  std::vector<double> commit_ms, waited_ms;
  size_t events = 0;

  void add(const CommitFigures& f) {
    std::lock_guard lock(mutex);
    commit_ms.push_back(f.seconds * 1000);
    waited_ms.push_back(f.waited_seconds * 1000);
    events += f.events;
  }
  static std::string spread(std::vector<double>& v) {
    std::sort(v.begin(), v.end());
    char text[120];
    auto at = [&](double p) { return v[static_cast<size_t>(p * static_cast<double>(v.size() - 1))]; };
    std::snprintf(text, sizeof text, "p50 %.2f p99 %.2f p99.9 %.2f max %.2f ms", at(0.5), at(0.99), at(0.999),
                  v.back());
    return text;
  }
};

size_t environment(const char* name, size_t otherwise) {
  const char* value = std::getenv(name);
  return value ? std::strtoul(value, nullptr, 10) : otherwise;
}

}  // namespace

TEST_CASE("appends of many streams at a steady rate", "[.bench]") {
  const size_t streams = environment("STREAMS", 1000), rate = environment("RATE", 30'000),
               run_s = environment("SECONDS", 10);
  Commits commits;
  SqliteHarness h([&](SqliteLogOptions& o) {
    o.sync = SyncLevel::full;
    o.reserve_bytes = 4 << 20;
    o.on_commit = [&](const CommitFigures& f) { commits.add(f); };
    o.journal_flush_bytes = environment("FLUSH", 64 << 20);
  });
  std::vector<StreamKey> keys;
  for (size_t i = 0; i < streams; ++i) keys.push_back(h.make("strm_" + std::to_string(i)));
  {
    std::lock_guard lock(commits.mutex);
    commits.commit_ms.clear();
    commits.waited_ms.clear();
    commits.events = 0;
  }
  const double cpu = cpu_seconds();
  const auto began = Clock::now();
  size_t sent = 0;
  Seq seq = 1;
  while (since(began) < static_cast<double>(run_s)) {
    const auto due = static_cast<size_t>(since(began) * static_cast<double>(rate));
    for (; sent < due; ++sent) {
      if (sent % streams == 0) ++seq;
      h.text(keys[sent % streams], seq, " token");
    }
    h.loop().run_until([] { return false; }, std::chrono::milliseconds(0));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  REQUIRE(h.loop().run_until([&] { return h.log().status().uncommitted_bytes == 0; }));
  const double took = since(began), used = cpu_seconds() - cpu;
  std::lock_guard lock(commits.mutex);
  REQUIRE(commits.events == sent);
  std::printf(
      "%zu streams, %.0f events/s for %.1f s: %.1f events a commit; commit %s; enqueue to durable %s; %.2f us CPU an "
      "event\n",
      streams, static_cast<double>(sent) / took, took,
      static_cast<double>(sent) / static_cast<double>(commits.commit_ms.size()),
      Commits::spread(commits.commit_ms).c_str(), Commits::spread(commits.waited_ms).c_str(),
      used / static_cast<double>(sent) * 1e6);
  auto f = h.log().figures();
  std::printf("journal %.1f MiB, WAL %.1f MiB, database %.1f MiB, %lu segments\n",
              static_cast<double>(f.journal_bytes) / 1048576, static_cast<double>(h.size_of("log.db-wal")) / 1048576,
              static_cast<double>(h.size_of("log.db")) / 1048576, static_cast<unsigned long>(f.segments_written));
}

TEST_CASE("creates as fast as they go", "[.bench]") {
  SqliteHarness h([](SqliteLogOptions& o) { o.sync = SyncLevel::full; });
  const size_t total = environment("CREATES", 20'000);
  size_t made = 0, sent = 0;
  const double cpu = cpu_seconds();
  const auto began = Clock::now();
  while (made < total) {
    for (; sent < total && sent - made < 200; ++sent) {
      NewStream s = h.stream("strm_" + std::to_string(sent * 7919 % 1000003));
      s.request = std::string(300, 'r');
      s.idempotency_key = "key-" + std::to_string(sent);
      h.log().create(std::move(s), [&](const Result<Created>& r) { made += r.has_value(); });
    }
    const size_t before = made;
    REQUIRE(h.loop().run_until([&] { return made != before; }));
  }
  std::printf("%.0f creates/s, %.1f us CPU each\n", static_cast<double>(total) / since(began),
              (cpu_seconds() - cpu) / static_cast<double>(total) * 1e6);
}

TEST_CASE("a finished stream of 1,000 events, read from segments", "[.bench]") {
  SqliteHarness h([](SqliteLogOptions& o) { o.journal_flush_bytes = 1; });
  StreamKey key = h.make("strm_a");
  for (Seq seq = 2; seq <= 1000; ++seq) h.text(key, seq, " token");
  h.finish(key, 1001);
  REQUIRE(h.eventually([&] { return h.log().figures().journal_bytes == 0; }));
  const auto began = Clock::now();
  for (int i = 0; i < 2000; ++i) REQUIRE(h.read(key, 0, 64 << 10).value()->entries.size() == 1001);
  std::printf("%.0f us a read\n", since(began) / 2000 * 1e6);
}

TEST_CASE("opening over a full journal", "[.bench]") {
  SqliteHarness h;
  std::vector<StreamKey> keys;
  for (int i = 0; i < 1000; ++i) keys.push_back(h.make("strm_" + std::to_string(i)));
  Seq seq = 1;
  while (h.log().figures().journal_bytes < (62u << 20)) {
    ++seq;
    for (StreamKey k : keys) h.text(k, seq, " token");
    REQUIRE(h.loop().run_until([&] { return h.log().status().uncommitted_bytes < (1 << 20); }));
  }
  h.shut();
  const auto began = Clock::now();
  h.reopen();
  std::printf("opened over 62 MiB of journal, %lu events, in %.2f s\n", static_cast<unsigned long>(seq * 1000),
              since(began));
  CHECK(h.find("strm_7")->last_seq >= seq);
}
