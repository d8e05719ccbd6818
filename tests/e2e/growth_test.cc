// Growth: an hour of writing in about a minute. Database, WAL and memory stay bounded, with one slow stream alive
// throughout and with a reader that never reads. And descriptors that run out.
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/follower.h"
#include "tests/support/model_server.h"
#include "tests/support/relay.h"

using namespace tokenrelay::support;

namespace {

using Strings = std::vector<std::string>;

uint64_t bytes_in(const std::filesystem::path& dir, const std::string& suffix = "") {
  uint64_t sum = 0;
  for (const auto& file : std::filesystem::directory_iterator(dir)) {
    std::error_code gone;
    if (file.path().string().ends_with(suffix)) {
      if (const auto size = file.file_size(gone); !gone) sum += size;
    }
  }
  return sum;
}

// The rates of the real thing times sixty: 64 MiB of journal or 60 s become 1 MiB or 1 s, 16 MiB of WAL 1 MiB,
// retention 24 h a few seconds.
const std::string hour_in_a_minute =
    "[storage]\njournal_flush_bytes = 1048576\njournal_flush_ms = 1000\nwal_restart_bytes = 1048576\nretention_ms = "
    "3000\n"
    "retention_bytes = 30000000\nretention_reader_grace_ms = 3000\n";

}  // namespace

TEST_CASE("an hour of writing: files and memory stay bounded", "[growth]") {
  ModelServer model([](ModelServer::Call& call) {
    const std::string prompt = call.prompt();
    if (prompt == "slow") {  // a token every 100 ms, all the time
      for (int i = 0; call.pause(100ms); ++i) {
        if (!call.text("s" + std::to_string(i) + " ")) return;
      }
      return;
    }
    const std::string piece(1500, 'g');
    for (int i = 0; i < 400; ++i) {
      if (!call.text(piece)) return;
    }
    call.finish();
  });
  Relay relay({.upstream = model.upstream(), .config = hour_in_a_minute});
  const std::string slow = relay.create({{"prompt", "slow"}});
  Follower watcher({.port = relay.port(), .stream_id = slow, .query = "coalesce=0"});
  const std::string ignored = relay.create({{"prompt", "big"}});
  SseConnection stuck(relay.port(), events_request(ignored), 4096);
  REQUIRE(stuck.next());

  uint64_t files = 0, wal = 0, rss_early = 0, rss_late = 0;
  const auto began = Clock::now();
  int streams = 0;
  while (ms_since(began) < 45'000) {
    relay.create({{"prompt", "big"}});
    REQUIRE(wait_until(  // asks the list: a state brings the whole text
        [&] { return relay.get("/v1/streams?limit=1").json().at("streams").at(0).at("status") == "completed"; }, 20s,
        10ms));
    ++streams;
    files = std::max(files, bytes_in(relay.data()));
    wal = std::max(wal, bytes_in(relay.data(), "-wal"));
    auto& rss = ms_since(began) < 15'000 ? rss_early : rss_late;
    rss = std::max(rss, relay.process().rss_kb());
  }
  const uint64_t written = static_cast<uint64_t>(streams) * 400 * 1500;
  WARN(streams << " streams, " << written / 1'000'000 << " MB of text; files at most " << files / 1'000'000
               << " MB, WAL " << wal / 1'000'000 << " MB, RSS " << rss_early / 1000 << " then " << rss_late / 1000
               << " MB");
  CHECK(written > 20'000'000);  // twenty flushes at the least; about 300 MB on an idle machine
  CHECK(files < 100'000'000);   // retention's 30 MB, the reserve file, the journal, the WAL, and free pages
  CHECK(wal < 20'000'000);
  CHECK(rss_late < rss_early + 24'000);
  CHECK(relay.state(slow).at("status") == "streaming");
  CHECK(watcher.problems() == Strings{});
  CHECK(watcher.statuses() == std::vector<int>{200});
  const auto seen = watcher.events();
  CHECK(watcher.transcript().text.starts_with("s0 s1 s2 "));
  for (size_t i = 1; i < seen.size(); ++i) CHECK(parse_event_id(*seen[i].id)->seq == i);
  // The slow stream's whole log is still there, from its first event, after a kill.
  relay.kill_now();
  relay.start();
  watcher.stop();
  const std::string text = relay.state(slow).at("text");
  CHECK(text.starts_with(watcher.transcript().text.substr(0, watcher.transcript().text.size() / 2)));
  CHECK(parse_event_id(relay.state(slow).at("last_event_id").get<std::string>())->seq >= seen.size());
}

TEST_CASE("descriptors run out: readers are asked to come back or refused, nothing crashes", "[growth]") {
  ModelServer model([](ModelServer::Call& call) {
    while (call.pause(20ms)) {
      if (!call.text("tick ")) return;
    }
  });
  Relay relay({.upstream = model.upstream(), .descriptors = 300});
  const std::string id = relay.create();
  Follower before({.port = relay.port(), .stream_id = id});
  REQUIRE(before.wait_text(10, 5s));
  std::vector<std::unique_ptr<SseConnection>> readers;
  std::map<std::string, int> outcomes;
  for (int i = 0; i < 400 && outcomes["waiting"] < 3; ++i) {
    readers.push_back(std::make_unique<SseConnection>(relay.port(), events_request(id)));
    auto& reader = *readers.back();
    if (!reader.http().open()) {
      ++outcomes["refused"];
      continue;
    }
    const auto head = reader.head(1s);
    if (!head) {
      ++outcomes[reader.end() == BodyEnd::timeout ? "waiting" : "cut"];
      continue;
    }
    CHECK(head->status == 200);  // never a 503 or a 429: an EventSource would give up for good
    const auto event = reader.next(1s);
    if (event) {
      ++outcomes["served"];
    } else {
      ++outcomes["told to retry"];
      CHECK(reader.parser().retry_ms().value_or(0) >= 2000);
      CHECK(reader.parser().retry_ms().value_or(99999) <= 10000);
      CHECK(reader.end() == BodyEnd::reset);
    }
    if (i % 50 == 0) CHECK(relay.process().running());
  }
  std::string shown;
  for (const auto& [what, n] : outcomes) shown += what + " " + std::to_string(n) + ", ";
  INFO(shown);
  CHECK(outcomes["served"] > 0);
  CHECK(outcomes["told to retry"] + outcomes["refused"] + outcomes["cut"] > 0);
  CHECK(outcomes["waiting"] == 0);
  REQUIRE(relay.process().running());
  const auto held = before.transcript().text.size();
  CHECK(before.wait_text(held + 20, 5s));  // who was here before goes on
  CHECK(before.statuses() == std::vector<int>{200});
  readers.clear();
  CHECK(wait_until([&] { return relay.get("/readyz").status == 200; }, 10s));
  const std::string again = relay.create();
  Follower after({.port = relay.port(), .stream_id = again});
  CHECK(after.wait_text(10, 5s));
}

TEST_CASE("a stream being read is spared by retention, for a while", "[growth]") {
  ModelServer model([](ModelServer::Call& call) {
    for (int i = 0; i < 1000; ++i) call.text(std::string(3000, 'k'));
    call.finish();
  });
  Relay relay({.upstream = model.upstream(),
               .config = "[storage]\nretention_ms = 500\nretention_reader_grace_ms = 4000\njournal_flush_ms = 500\n"});
  const std::string id = relay.create();
  SseConnection reader(relay.port(), events_request(id), 4096);
  REQUIRE(reader.next());
  REQUIRE(relay.wait_status(id, "completed", 20s));
  const auto ended = Clock::now();
  while (ms_since(ended) < 2500) {
    REQUIRE(relay.get("/v1/streams/" + id).status == 200);
    std::this_thread::sleep_for(100ms);
  }
  CHECK(wait_until([&] { return relay.get("/v1/streams/" + id).status == 410; }, 90s, 100ms));
  reader.rest(20s);
  CHECK(reader.end() == BodyEnd::reset);
}
