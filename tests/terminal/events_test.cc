#include "service/terminal/events.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

using tokenrelay::ChatEvents;

namespace {

const std::string stream =
    "\xEF\xBB\xBF"
    "retry: 1000\nevent: resumed\ndata: {\"verdict\":\"start\"}\n\n"
    "id: a-1\nevent: start\ndata: {}\n\n: hb\nid: a-2\r\ndata: {\"delta\":\"H\xC3\xA4\"}\r\n\r\n"
    "data:x\rdata: y\rid: a-3\r\rid: a-4\n\nunknown: 1\nretry: soon\ndata\n\n"
    "id: a-5\ndata: lost";

std::string shape(const std::vector<ChatEvents::Event>& events) {
  std::string shape;
  for (const auto& event : events) shape += event.type + "|" + event.id + "|" + event.data + ";";
  return shape;
}

}  // namespace

TEST_CASE("events come out whole, wherever the bytes are cut") {
  const std::string expected = "|a-2|{\"delta\":\"H\xC3\xA4\"};|a-3|x\ny;|a-4|;";
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    std::vector<ChatEvents::Event> events;
    ChatEvents parser([&](const auto& event) { events.push_back(event); });
    REQUIRE(parser.feed(std::string_view(stream).substr(0, cut)));
    REQUIRE(parser.feed(std::string_view(stream).substr(cut)));
    INFO("cut at " << cut);
    CHECK(shape(events) == "resumed||{\"verdict\":\"start\"};start|a-1|{};" + expected);
    CHECK(parser.retry_ms() == 1000);
    CHECK(parser.last_id() == "a-4");
  }
}

TEST_CASE("half an event is forgotten at a reconnect, the last id is not") {
  std::vector<ChatEvents::Event> events;
  ChatEvents parser([&](const auto& event) { events.push_back(event); });
  parser.feed("id: a-1\ndata: one\n\nid: a-2\nevent: x\ndata: tw");
  parser.reconnected();
  parser.feed("data: other\n\n");
  CHECK(shape(events) == "|a-1|one;|a-1|other;");
  CHECK(parser.last_id() == "a-1");
}

TEST_CASE("a line or an event without end is refused") {
  ChatEvents endless_line([](const auto&) {});
  CHECK(endless_line.feed(std::string(4 << 20, 'x')));
  CHECK(!endless_line.feed("x"));
  ChatEvents endless_event([](const auto&) {});
  bool taken = true;
  const std::string line = "data: " + std::string(1 << 20, 'x') + "\n";
  for (int i = 0; i < 6 && taken; ++i) taken = endless_event.feed(line);
  CHECK(!taken);
}
