// SIGKILL at any moment: what was reported durable is there, unchanged, and every stream ends exactly once.
//
// The child is this binary again (the hidden test below), so that it starts without this process's threads. It writes
// streams and tells each durable event over a pipe; the parent kills it and opens the log.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <random>
#include <set>

#include "tests/storage/sqlite_harness.h"
#include "tests/support/catch.h"

using namespace tokenrelay::storage;
using Clock = std::chrono::steady_clock;

namespace {

constexpr int report_fd = 9;
constexpr const char* child_program = "writes streams until it is killed";

// What event `seq` of a stream holds, known to both sides.
std::string payload_of(const std::string& id, Seq seq) {
  std::mt19937_64 random(std::hash<std::string>{}(id) + seq);
  std::string text = id + "/" + std::to_string(seq) + "/";
  text.append(random() % (seq % 50 == 0 ? 20'000 : 60), static_cast<char>('a' + random() % 26));
  return text;
}

struct Report {
  char stream_id[24];
  uint64_t seq;
};

void small_limits(SqliteLogOptions& o) {
  o.journal_flush_bytes = 48 << 10;
  o.checkpoint_ms = 2;
  o.wal_restart_bytes = 256 << 10;
  o.scrub_ms = 5;
  o.sync = SyncLevel::normal;  // SIGKILL leaves the page cache: what FULL adds is tested with delayed syncs
}

// Reports what became durable, from within on_durable: as soon as a reader could have seen it.
class Reporter : public Observer {
 public:
  void on_durable(std::span<const Durable> streams, int64_t) override {
    std::vector<Report> reports;
    for (const auto& d : streams) {
      Report r{};
      snprintf(r.stream_id, sizeof r.stream_id, "%s", ids[d.key].c_str());
      r.seq = d.seq;
      reports.push_back(r);
      ends[d.key] = d.seq;
    }
    if (write(report_fd, reports.data(), reports.size() * sizeof(Report)) < 0) _exit(0);
  }
  void on_log_state() override {}

  std::map<StreamKey, std::string> ids;
  std::map<StreamKey, Seq> ends;
};

void write_streams(const std::string& directory, const std::string& prefix, unsigned seed) {
  std::mt19937 random(seed);
  TestLoop loop;
  Reporter reporter;
  SqliteLogOptions options = plain_options(directory);
  small_limits(options);
  options.post = loop.poster();
  auto opened = open_sqlite_log(options, reporter);
  if (!opened) _exit(3);
  auto& log = **opened;
  std::map<StreamKey, Seq> live;
  unsigned born = 0;
  for (;;) {
    if (live.size() < 20) {
      NewStream s = LogHarness::stream(prefix + std::to_string(born++));
      s.start = payload_of(s.stream_id, 1);
      s.request = std::string(2000, 'r');
      log.create(std::move(s), [&](Result<Created> made) {
        reporter.ids[made->key] = made->stream_id;
        live[made->key] = 1;
      });
    }
    for (auto it = live.begin(); it != live.end();) {
      const auto& id = reporter.ids[it->first];
      const Seq seq = ++it->second;
      if (random() % 150 == 0) {
        log.finish(it->first, seq, {"completed", payload_of(id, seq), 2000});
        if (random() % 2 == 0) log.remove(id, 10'000, [](const auto&) {});
        it = live.erase(it);
        continue;
      }
      std::string text = payload_of(id, seq);
      EventView e{EventKind::text, text};
      log.append(it->first, seq, {&e, 1});
      ++it;
    }
    loop.run_until([&] { return log.status().uncommitted_bytes < 100'000; });
    loop.run_until([] { return false; }, std::chrono::milliseconds(1));
  }
}

struct Child {
  pid_t pid;
  int reports;
};

Child spawn(const std::string& directory, int round, unsigned seed) {
  int fds[2];
  REQUIRE(pipe2(fds, O_CLOEXEC) == 0);
  const std::string round_text = "r" + std::to_string(round) + "_", seed_text = std::to_string(seed);
  pid_t pid = fork();
  if (pid == 0) {
    dup2(fds[1], report_fd);
    setenv("KILL_TEST_DIRECTORY", directory.c_str(), 1);
    setenv("KILL_TEST_PREFIX", round_text.c_str(), 1);
    setenv("KILL_TEST_SEED", seed_text.c_str(), 1);
    execl("/proc/self/exe", "unit_storage", child_program, nullptr);
    _exit(4);
  }
  close(fds[1]);
  return {pid, fds[0]};
}

// Reads reports until the time comes, kills the child, reads what it still said.
std::map<std::string, Seq> kill_after(Child child, std::chrono::milliseconds alive) {
  std::string bytes;
  char buffer[1 << 16];
  bool killed = false;
  Clock::time_point deadline = Clock::now() + std::chrono::seconds(20);  // until the first report
  for (bool started = false;;) {
    pollfd p{child.reports, POLLIN, 0};
    auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (!killed && (left <= 0 || poll(&p, 1, static_cast<int>(left)) == 0)) {
      kill(child.pid, SIGKILL);
      killed = true;
    }
    ssize_t n = read(child.reports, buffer, sizeof buffer);
    if (n <= 0) break;
    bytes.append(buffer, static_cast<size_t>(n));
    if (!std::exchange(started, true)) deadline = Clock::now() + alive;
  }
  close(child.reports);
  int status = 0;
  waitpid(child.pid, &status, 0);
  REQUIRE(WIFSIGNALED(status));
  std::map<std::string, Seq> reported;
  for (size_t at = 0; at + sizeof(Report) <= bytes.size(); at += sizeof(Report)) {
    Report r;
    std::memcpy(&r, bytes.data() + at, sizeof r);
    reported[r.stream_id] = r.seq;
  }
  return reported;
}

// Every stream that is there: whole, as it was written, ended once.
void check_stream(SqliteHarness& h, const StreamRow& row) {
  INFO(row.stream_id);
  auto events = h.events(row.key);
  REQUIRE(events.size() == row.last_seq);
  REQUIRE_FALSE(row.status.empty());
  size_t wrong = 0, ends = 0;
  for (const auto& e : events) {
    ends += e.kind == EventKind::done;
    bool written = e.payload == payload_of(row.stream_id, e.seq);
    bool interrupted = e.kind == EventKind::done && row.status == "interrupted" && e.payload == row.done;
    wrong += !written && !interrupted;
  }
  CHECK(wrong == 0);
  CHECK(ends == 1);
  CHECK(events.back().kind == EventKind::done);
  CHECK(row.runs.size() == (row.status == "interrupted" ? 2 : 1));
}

}  // namespace

TEST_CASE("writes streams until it is killed", "[.child]") {
  const char* directory = getenv("KILL_TEST_DIRECTORY");
  REQUIRE(directory);
  write_streams(directory, getenv("KILL_TEST_PREFIX"), static_cast<unsigned>(atoi(getenv("KILL_TEST_SEED"))));
}

TEST_CASE("killed at any moment, the log keeps what it reported") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  SqliteHarness h(small_limits);
  h.shut();
  size_t events = 0, streams = 0;
  for (int round = 0; round < 20; ++round) {
    INFO("round " << round);
    auto reported = kill_after(spawn(h.directory(), round, static_cast<unsigned>(random())),
                               std::chrono::milliseconds(random() % 120));
    h.reopen();
    for (const auto& [id, seq] : reported) {
      INFO(id);
      auto row = h.find(id);
      if (!row) {
        CHECK(row.error().code == Errc::gone);
        continue;
      }
      CHECK(row->last_seq >= seq);
      events += seq;
    }
    std::optional<StreamKey> before;
    do {
      auto page = h.list("", before, 50);
      REQUIRE(page);
      for (const auto& row : page->rows) check_stream(h, row);
      streams += page->rows.size();
      before = page->next;
    } while (before);
    // Make room: the next round's check should be about the next round's streams.
    auto finished = h.expired(1 << 30, 0, 1000);
    for (const auto& row : *finished) REQUIRE(h.remove(row.stream_id, 10'000));
    h.shut();
  }
  CHECK(events > 1000);
  CHECK(streams > 50);
}
