// A shard on a manual clock, over a log in memory and an upstream that the test speaks for; and a reader that notes
// everything it is sent. Threads: the test's own.
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "service/json/parse.h"
#include "service/relay/event_codec.h"
#include "service/relay/shard.h"
#include "service/relay/start_event.h"
#include "service/relay/subscriber.h"
#include "tests/support/catch.h"
#include "tests/support/manual_clock.h"
#include "tests/support/memory_log.h"
#include "tests/support/scripted_provider.h"

namespace tokenrelay::relay {

// One event as a reader got it.
struct Got {
  std::string name, data, id;
};

inline std::vector<Got> parse_blocks(std::string_view bytes) {
  std::vector<Got> out;
  while (!bytes.empty()) {
    const auto end = bytes.find("\n\n");
    if (end == std::string_view::npos) throw std::runtime_error("half an event was sent");
    Got got;
    for (std::string_view block = bytes.substr(0, end + 1); !block.empty();) {
      const auto line = block.substr(0, block.find('\n'));
      block.remove_prefix(line.size() + 1);
      if (line.rfind("event: ", 0) == 0) got.name = line.substr(7);
      if (line.rfind("data: ", 0) == 0) got.data = line.substr(6);
      if (line.rfind("id: ", 0) == 0) got.id = line.substr(4);
    }
    out.push_back(std::move(got));
    bytes.remove_prefix(end + 2);
  }
  return out;
}

// A sink that takes what it is given; `slow` ones are full after each write until the test makes room.
class Reading final : public Sink {
 public:
  explicit Reading(std::shared_ptr<Stream> stream, Seq after = 0, bool coalesce = true, bool slow = false)
      : slow(slow), subscriber(std::make_unique<Subscriber>(std::move(stream), after, coalesce, sse_format(), *this)) {
    subscriber->pump();
  }

  bool slow, room = true, ended = false, cut_off = false;
  CutReason reason{};
  size_t writes = 0, biggest = 0;
  std::vector<Got> events;
  std::function<void()> on_send;
  std::unique_ptr<Subscriber> subscriber;

  bool has_room() const override { return room; }
  void send(std::string_view bytes, bool last) override {
    if (ended || cut_off || !room) throw std::logic_error("sent to a sink that cannot take it");
    ++writes;
    biggest = std::max(biggest, bytes.size());
    for (auto& got : parse_blocks(bytes)) events.push_back(std::move(got));
    ended = last;
    if (slow) room = false;
    if (on_send) on_send();
  }
  void cut(CutReason why) override {
    if (ended || cut_off) throw std::logic_error("cut after the end");
    cut_off = true;
    reason = why;
  }
  void make_room() {
    room = true;
    subscriber->pump();
  }

  std::string text() const {
    std::string out;
    for (const auto& got : events) {
      if (got.name.empty()) out += json::parse(got.data)->at("delta").get<std::string>();
    }
    return out;
  }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& got : events) out.push_back(got.name);
    return out;
  }
  Seq seq(size_t i) const { return parse_event_id(events.at(i).id)->seq; }
};

struct RelayFixture {
  support::ManualLoop time;
  metrics::Metrics metrics{"test"};
  unsigned seed = std::random_device{}();
  std::mt19937 draws{seed};
  uint32_t spread = 0;  // what a draw of four bytes gives: the jitter of a retry
  Options options;
  std::shared_ptr<support::ScriptedProvider> model = std::make_shared<support::ScriptedProvider>();
  std::shared_ptr<Upstream> upstream;
  std::unique_ptr<Shard> shard;
  support::MemoryLog* log = nullptr;

  explicit RelayFixture(Options with = {}, uint32_t slots = 0) : options(with) {
    upstream = std::make_shared<Upstream>("up", model, std::vector<std::string>{}, slots);
    shard = std::make_unique<Shard>(time.loop, metrics, random(), std::make_shared<Options>(options), table());
    auto memory = std::make_unique<support::MemoryLog>(
        *shard, [this](std::function<void()> call) { time.loop.post(std::move(call)); });
    log = memory.get();
    shard->use(std::move(memory));
    time.settle();
  }

  std::shared_ptr<const ModelTable> table() const { return std::make_shared<ModelTable>(std::vector{upstream}, "m"); }
  Random random() {
    return [this](void* into, size_t bytes) {
      if (bytes == sizeof spread) return static_cast<void>(memcpy(into, &spread, bytes));
      for (size_t i = 0; i < bytes; ++i) static_cast<unsigned char*>(into)[i] = static_cast<unsigned char>(draws());
    };
  }

  NewStream what(OnDisconnect on_disconnect = {}) {
    NewStream what;
    what.model = "m";
    what.prompt.route = Route{upstream, "m"};
    const upstream::ModelRequest request = {"m", R"([{"role":"user","content":"hi"}])", "", "req_1"};
    what.prompt.request = support::scripted(request);
    what.prompt.request_id = request.request_id;
    what.request = stored_request(request);
    what.prompt.prompt_bytes = 2;
    what.prompt.on_disconnect = on_disconnect;
    return what;
  }
  Result<CreatedStream> create(NewStream what) {
    auto made = std::make_shared<std::optional<Result<CreatedStream>>>();
    shard->create(std::move(what), [made](Result<CreatedStream> result) { made->emplace(std::move(result)); });
    time.settle();
    if (!made->has_value()) throw std::runtime_error("not created");
    return std::move(**made);
  }
  std::shared_ptr<Stream> stream(OnDisconnect on_disconnect = {}) { return create(what(on_disconnect)).value().stream; }

  void commit() {
    log->commit();
    time.settle();
  }
  void say(std::string_view text) {
    model->last().text(text);
    time.settle();
  }
  void say_and_commit(std::string_view text) {
    model->last().text(text);
    commit();
  }
  support::MemoryLog::Stored& stored(const Stream& stream) { return log->stored(stream.row().key); }
  size_t terminal_events(const Stream& stream) {
    size_t count = 0;
    for (const auto& event : stored(stream).events) count += event.kind == storage::EventKind::done ? 1 : 0;
    return count;
  }
  json::Value done(const Stream& stream) { return *json::parse(stored(stream).events.back().payload); }
};

}  // namespace tokenrelay::relay
