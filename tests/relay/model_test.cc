// A whole stream against a plain model, at random: deltas, commits that are reported late, readers that are slow, that
// come back with any id they have seen, with and without merging. Whatever happens, what a reader has put together is
// the log's prefix, its ids strictly increase, and each of them is a valid cursor.
#include <algorithm>

#include "tests/relay/relay_fixture.h"

using namespace tokenrelay;
using namespace tokenrelay::relay;

namespace {

struct Client {
  std::shared_ptr<Stream> stream;
  bool coalesce, slow;
  std::unique_ptr<Reading> reading;
  std::string text;
  Seq cursor = 0;
  bool ended = false;

  void connect() {
    if (cursor > 0)
      REQUIRE(judge(stream->runs(), stream->durable(), *parse_event_id(event_id(stream->runs(), cursor))) ==
              Verdict::exact);
    reading = std::make_unique<Reading>(stream, cursor, coalesce, slow);
  }
  void take() {  // what has arrived since
    for (const auto& got : reading->events) {
      const auto id = parse_event_id(got.id);
      REQUIRE(id);
      REQUIRE(id->seq > cursor);
      REQUIRE(id->seq <= stream->durable());
      if (!coalesce) REQUIRE(id->seq == cursor + 1);
      REQUIRE(judge(stream->runs(), stream->durable(), *id) == Verdict::exact);
      cursor = id->seq;
      const auto data = json::parse(got.data);
      REQUIRE(data);
      if (got.name.empty()) text += data->at("delta").get<std::string>();
      if (got.name == "done") ended = true;
    }
    reading->events.clear();
    REQUIRE(ended == reading->ended);
    REQUIRE_FALSE(reading->cut_off);
  }
};

struct Model {
  RelayFixture f;
  std::mt19937& random;
  std::shared_ptr<Stream> stream = f.stream();
  std::vector<std::string> deltas = {""};  // by seq, from the start event on; "" for what is no text
  std::vector<Client> clients;

  explicit Model(std::mt19937& random) : random(random) {
    for (int i = 0; i < 6; ++i) {
      clients.push_back({stream, i % 2 == 0, i % 3 == 0, nullptr, "", 0, false});
      clients.back().connect();
    }
  }
  size_t any(size_t below) { return random() % below; }
  std::string prefix(Seq upto) const {
    std::string out;
    for (Seq seq = 1; seq <= upto; ++seq) out += deltas[seq - 1];
    return out;
  }

  void speak() {
    static const std::vector<std::string> words = {"a", " \n", "\xc3\xa9", "\xf0\x9f\x98\x80", "\"\\", "id: x\n\n"};
    std::string delta;
    for (size_t n = 1 + any(any(8) == 0 ? 4'000 : 4); n > 0; --n) delta += words[any(words.size())];
    if (any(5) == 0) {
      f.model->last().handler->on_reasoning(delta);
    } else {
      f.model->last().text(delta);
    }
    for (auto seq = deltas.size(); seq < f.stored(*stream).events.size(); ++seq) {
      const auto& event = f.stored(*stream).events[seq];
      deltas.push_back(event.kind == storage::EventKind::text ? event.payload : "");
    }
  }
  void step() {
    auto& client = clients[any(clients.size())];
    switch (any(9)) {
      case 0:
      case 1:
      case 2:
        for (size_t n = any(any(6) == 0 ? 120 : 5); n > 0; --n) speak();
        break;
      case 3:
        f.log->commit_silently();
        break;
      case 4:
        f.log->report();
        break;
      case 5:
        f.commit();
        break;
      case 6:
        f.time.settle();
        break;
      case 7:
        if (!client.reading->room) client.reading->make_room();
        break;
      case 8:  // the line breaks, the client comes back
        client.take();
        if (!client.ended) client.connect();
    }
    for (auto& one : clients) {
      one.take();
      REQUIRE(one.text == prefix(one.cursor));
    }
  }
  void finish() {
    f.model->last().complete();
    deltas.push_back("");
    f.commit();
    for (int i = 0; i < 2'000; ++i) {
      for (auto& one : clients) {
        if (!one.ended && !one.reading->room) one.reading->make_room();
      }
      f.time.settle();
      for (auto& one : clients) one.take();
      if (std::all_of(clients.begin(), clients.end(), [](const Client& one) { return one.ended; })) break;
    }
    for (auto& one : clients) {
      REQUIRE(one.ended);
      REQUIRE(one.text == prefix(deltas.size()));
    }
    REQUIRE(f.terminal_events(*stream) == 1);
  }
};

}  // namespace

TEST_CASE("random readers of a random stream always hold the log's prefix", "[model]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int round = 0; round < 6; ++round) {
    Model model(random);
    for (int i = 0; i < 300; ++i) model.step();
    model.finish();
  }
}
