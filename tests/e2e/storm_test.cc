// A storm: many streams, random cancels, steers and readers that leave, from many sides, with the relay killed under
// them. Afterwards the log tells one consistent story, and the relay holds nothing of it any more.
#include <map>
#include <mutex>
#include <random>
#include <thread>

#include "tests/support/catch.h"
#include "tests/support/fake_upstream_fleet.h"
#include "tests/support/relay.h"
#include "tests/support/sanitized.h"
#include "tests/support/sse_connection.h"
#include "tests/support/ws_client.h"

using namespace tokenrelay::support;

namespace {

struct Acknowledged {
  std::string stream, kind, event_id, content;
};

class Storm {
 public:
  Storm(uint16_t port, unsigned seed, size_t most_streams) : port_(port), seed_(seed), most_streams_(most_streams) {}
  ~Storm() { calm(); }

  void blow(int sides) {
    stop_ = false;
    for (int i = 0; i < sides; ++i)
      sides_.emplace_back([this, draws = std::mt19937(seed_++)]() mutable {
        for (; !stop_; ++acts_) act(draws);
      });
  }
  // Until so many more commands, readers and sockets have come and gone.
  bool wait_acts(size_t more, Deadline deadline) const {
    return wait_until([&, until = acts_ + more] { return acts_ >= until; }, deadline);
  }
  void calm() {
    stop_ = true;
    for (auto& side : sides_) side.join();
    sides_.clear();
  }
  std::vector<std::string> streams() const {
    std::lock_guard lock(mutex_);
    return streams_;
  }
  std::vector<Acknowledged> acknowledged() const {
    std::lock_guard lock(mutex_);
    return acknowledged_;
  }
  void forget() {
    std::lock_guard lock(mutex_);
    streams_.clear();
    acknowledged_.clear();
  }

 private:
  void act(std::mt19937& draws) {
    std::string id;
    {
      std::lock_guard lock(mutex_);
      if (streams_.size() >= most_streams_ || (!streams_.empty() && draws() % 3 != 0)) {
        const size_t recent = std::min<size_t>(streams_.size(), 120);  // old ones have ended
        id = streams_[streams_.size() - 1 - draws() % recent];
      }
    }
    if (id.empty()) return create(draws);
    switch (draws() % 6) {
      case 0:
        return cancel(id);
      case 1:
      case 2:
        return steer(id, draws);
      case 3:
        return read(id, draws);
      default:
        return socket(id, draws);
    }
  }

  void create(std::mt19937& draws) {
    const Json policy[] = {"continue", "continue", "cancel", {{"cancel_after_ms", 3000}}};
    const Json body = {{"model", "m"}, {"prompt", "p"}, {"on_disconnect", policy[draws() % 4]}};
    const auto made = post("/v1/streams", body.dump());
    if (made.status != 201) return pause();
    std::lock_guard lock(mutex_);
    streams_.push_back(made.json().at("id"));
  }

  void cancel(const std::string& id) {
    const auto answer = post("/v1/streams/" + id + "/cancel", "");
    if (answer.status == 200) note({id, "cancel", answer.json().at("last_event_id"), ""});
    if (answer.status == 0) pause();
  }

  void steer(const std::string& id, std::mt19937& draws) {
    const std::string content = std::to_string(draws());
    const auto answer = post("/v1/streams/" + id + "/steer", Json{{"content", content}}.dump());
    if (answer.status == 202) note({id, "steer", answer.json().at("event_id"), content});
    if (answer.status == 0) pause();
  }

  void read(const std::string& id, std::mt19937& draws) {
    SseConnection reader(port_, events_request(id));
    const Deadline until = milliseconds(draws() % 300);
    while (!until.passed() && reader.next(milliseconds(50))) {
    }
    if (draws() % 2) reader.http().socket().reset();
  }

  void socket(const std::string& id, std::mt19937& draws) {
    WsClient ws(port_, "/v1/streams/" + id + "/ws");
    if (ws.status() != 101) return pause();
    std::map<std::string, Acknowledged> sent;
    const auto say = [&](const std::string& ref, Json message, const std::string& content) {
      sent[ref] = {id, message["type"], "", content};
      message["ref"] = ref;
      ws.send_json(message);
    };
    if (draws() % 2) say("subscribe", {{"type", "subscribe"}}, "");
    for (unsigned i = draws() % 3; i-- > 0;) {
      const std::string content = std::to_string(draws());
      say("steer" + content, {{"type", "steer"}, {"content", content}}, content);
    }
    if (draws() % 4 == 0) say("cancel", {{"type", "cancel"}}, "");
    const Deadline until = milliseconds(draws() % 400);
    while (!until.passed()) {
      const auto frame = ws.next(milliseconds(50));
      if (!frame || frame->opcode != 1) continue;
      const Json message = frame->json();
      if (message.at("type") != "ack") continue;
      auto command = sent.at(message.at("ref"));
      command.event_id = message.value("event_id", "");
      if (command.kind != "subscribe") note(command);
    }
    if (draws() % 2) ws.socket().reset();
  }

  Response post(const std::string& target, const std::string& body) {
    return fetch(port_,
                 {.method = "POST", .target = target, .fields = {{"Content-Type", "application/json"}}, .body = body},
                 20s);
  }
  void note(Acknowledged command) {
    std::lock_guard lock(mutex_);
    acknowledged_.push_back(std::move(command));
  }
  void pause() {
    wait_until([&] { return stop_.load(); }, 50ms, 10ms);
  }

  const uint16_t port_;
  unsigned seed_;
  const size_t most_streams_;
  std::atomic<bool> stop_{false};
  std::atomic<size_t> acts_{0};
  mutable std::mutex mutex_;
  std::vector<std::string> streams_;
  std::vector<Acknowledged> acknowledged_;
  std::vector<std::thread> sides_;
};

// One stream's whole log, checked: ids without gaps, one terminal event, at the end.
std::map<std::string, SseEvent> log_of(Relay& relay, const std::string& id) {
  SseConnection reader(relay.port(), events_request(id, "", "coalesce=0"));
  std::map<std::string, SseEvent> events;
  uint64_t last = 0;
  int dones = 0;
  for (const auto& event : reader.rest(30s)) {
    if (!event.id) continue;
    const auto at = parse_event_id(*event.id);
    REQUIRE(at);
    CHECK(at->seq == ++last);
    CHECK(dones == 0);
    dones += event.name == "done" ? 1 : 0;
    events.emplace(*event.id, event);
  }
  CHECK(dones == 1);
  CHECK(reader.end() == BodyEnd::clean);
  CHECK(reader.problems().empty());
  return events;
}

void check_the_story(Relay& relay, const Storm& storm) {
  std::map<std::string, std::map<std::string, SseEvent>> logs;
  for (const auto& id : storm.streams()) {
    INFO(id);
    const auto& log = logs[id] = log_of(relay, id);
    CHECK(log.count(relay.state(id).at("last_event_id")) == 1);
  }
  std::map<std::string, int> kinds;
  for (const auto& command : storm.acknowledged()) {
    INFO(command.stream << " " << command.kind << " " << command.event_id << " " << command.content);
    ++kinds[command.kind];
    const auto& log = logs.at(command.stream);
    const auto event = log.find(command.event_id);
    REQUIRE(event != log.end());
    CHECK(event->second.name == (command.kind == "cancel" ? "done" : "steer"));
    if (command.kind == "steer") CHECK(event->second.json().at("content") == command.content);
  }
  CHECK(kinds["cancel"] > 0);
  CHECK(kinds["steer"] > 0);
  WARN(storm.streams().size() << " streams, " << kinds["cancel"] << " cancels, " << kinds["steer"]
                              << " steers acknowledged");
}

void end_all(Relay& relay, const Storm& storm, FakeUpstreamFleet& fleet) {
  for (const auto& id : storm.streams()) {
    CHECK(fetch(relay.port(), {.method = "POST", .target = "/v1/streams/" + id + "/cancel"}, 30s).status == 200);
  }
  CHECK(wait_until([&] { return fleet.open_connections() == 0; }, 10s));
}

}  // namespace

TEST_CASE("a storm of commands, readers and kills leaves one story, and nothing behind", "[storm]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  FakeUpstreamFleet fleet({.deltas = 20'000, .per_second = 20});  // none is over before a command ends it
  Relay relay({.upstream = "openai=" + fleet.base_url()});
  Storm storm(relay.port(), seed, 300);
  std::mt19937 draws(seed);

  storm.blow(6);
  for (int kill = 0; kill < 4; ++kill) {
    REQUIRE(storm.wait_acts(150 + draws() % 200, 60s));
    relay.kill_now();
    relay.start();
  }
  storm.calm();
  end_all(relay, storm, fleet);
  check_the_story(relay, storm);

  // The same without kills, as often as it takes until a round adds nothing to what the ones before it left in the
  // process: what is leaked is leaked in every round, what the allocator keeps is not.
  uint64_t most_rss_kb = 0;
  size_t most_descriptors = 0;
  bool settled = false;
  for (int round = 0; round < 6 && !settled; ++round) {
    storm.forget();
    storm.blow(6);
    REQUIRE(storm.wait_acts(500, 120s));
    storm.calm();
    end_all(relay, storm, fleet);
    check_the_story(relay, storm);
    CHECK(wait_until(
        [&] { return relay.metric("tokenrelay_websockets") == 0 && relay.metric("tokenrelay_connections") <= 1; },
        10s));
    const uint64_t rss_kb = relay.process().rss_kb();
    const size_t descriptors = relay.process().descriptors();
    WARN("round " << round << ": RSS " << rss_kb << " KiB, " << descriptors << " descriptors");
    // ThreadSanitizer's own memory grows with every round.
    settled = round > 0 && (sanitized || rss_kb < most_rss_kb + 3 * 1024) && descriptors <= most_descriptors;
    most_rss_kb = std::max(most_rss_kb, rss_kb);
    most_descriptors = std::max(most_descriptors, descriptors);
  }
  CHECK(settled);
}
