// What an encoder does with a log that holds its provider's own events.
#include "service/surface/own_replay.h"

#include "tests/support/catch.h"
#include "tests/surface/own_log.h"

namespace tokenrelay::surface {
namespace {

// "event {…}", "delta {…}", "begin", "translate"; nothing for what is skipped.
std::vector<std::string> steps(const Written& log, std::string_view kind = "anthropic") {
  OwnReplay replay(kind);
  std::vector<std::string> out;
  for (const auto& one : log) {
    switch (replay.take(one.kind, one.payload)) {
      case OwnReplay::Step::skip:
        break;
      case OwnReplay::Step::event:
        out.push_back("event " + replay.json());
        break;
      case OwnReplay::Step::delta:
        out.push_back("delta " + replay.json());
        break;
      case OwnReplay::Step::translate:
        out.emplace_back("translate");
        break;
      case OwnReplay::Step::begin:
        out.emplace_back("begin");
        break;
    }
  }
  return out;
}

using Steps = std::vector<std::string>;
using Voice = upstream::OwnEvent::Voice;

}  // namespace

TEST_CASE("own replay: events as they were, deltas around their text, and nothing twice") {
  const Written log = {own_started("anthropic"),
                       own_event("{\"a\":1}"),
                       text("told by the event"),
                       own_shape("{\"d\":\"", "\"}"),
                       text("x\"y"),
                       text("z"),
                       reasoning("not this shape's"),
                       own_event("{\"b\":2}"),
                       text("hidden"),
                       completed()};
  CHECK(steps(log) ==
        Steps{"event {\"a\":1}", R"(delta {"d":"x\"y"})", R"(delta {"d":"z"})", "event {\"b\":2}", "translate"});
}

TEST_CASE("own replay: a long event comes in pieces, a seam between them begins it anew") {
  const Written log = {own_started("anthropic"), own_piece("{\"a\""), own_piece(":"),
                       own_event("1}"),          own_piece("lost"),   event(storage::EventKind::upstream, "{}"),
                       own_piece("{\"b\""),      own_event(":2}")};
  CHECK(steps(log) == Steps{"event {\"a\":1}", "event {\"b\":2}"});
}

TEST_CASE("own replay: arguments belong to the shape of their call") {
  const Written log = {
      own_started("anthropic"), own_event("{}"), own_shape("{\"d\":\"", "\"}", Voice::tool_call, 1), call(0, "no"),
      call(1, "yes"),           call(1, "")};
  CHECK(steps(log) == Steps{"event {}", R"(delta {"d":"yes"})"});
}

TEST_CASE("own replay: another protocol's client, an older log and a fallback are translated") {
  const Written log = {own_started("anthropic"), own_event("{}"), text("x"), completed()};
  CHECK(steps(log, "openai") == Steps{"translate", "translate", "translate"});
  CHECK(steps({started(), text("x"), completed()}) == Steps{"translate", "translate", "translate"});
  const Written fallback = {own_started("anthropic"), event(storage::EventKind::upstream, "{}"), text("x"),
                            completed()};
  CHECK(steps(fallback) == Steps{"begin", "translate"});
}

TEST_CASE("own replay: the relay's id stands in the place of the provider's, in events and around deltas") {
  OwnReplay replay("openai");
  replay.serve({"a", "id"}, "relay's");
  const auto json = [&](const Logged& one) {
    replay.take(one.kind, one.payload);
    return replay.json();
  };
  json(own_started("openai"));
  CHECK(json(own_event(R"({"id":"x","a":{"id" : "theirs","b":1}})")) == R"({"id":"x","a":{"id" : "relay's","b":1}})");
  CHECK(json(own_event(R"({"a":{"id":7}})")) == R"({"a":{"id":7}})");
  json(own_shape(R"({"a":{"id":"long theirs"},"d":")", "\"}"));
  CHECK(json(text("t")) == R"({"a":{"id":"relay's"},"d":"t"})");
  json(own_shape(R"({"d":")", R"(","a":{"id":"t"}})"));
  CHECK(json(text("t")) == R"({"d":"t","a":{"id":"relay's"}})");
}

TEST_CASE("own replay: a steer ends it") {
  const Written log = {own_started("anthropic"),
                       own_shape("{\"d\":\"", "\"}"),
                       text("x"),
                       steered(),
                       own_event("{}"),
                       text("y"),
                       completed()};
  CHECK(steps(log) == Steps{R"(delta {"d":"x"})", "translate", "translate", "translate"});
}

TEST_CASE("own replay: a damaged log shows nothing and breaks nothing") {
  const Written log = {own_started("anthropic"),
                       own_event("{}"),
                       own_shape("", ""),
                       text("x"),
                       event(storage::EventKind::own, "\x09"),
                       text("y")};
  CHECK(steps(log) == Steps{"event {}"});
}

TEST_CASE("own replay: a provider's word is an event's name only if it can stand in its line") {
  CHECK(is_event_name("response.created"));
  for (const char* word : {"", "a b", "a\nb", "\xc3\xa9"}) CHECK_FALSE(is_event_name(word));
}

}  // namespace tokenrelay::surface
