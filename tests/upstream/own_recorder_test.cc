// What is kept of a provider's events: shapes for deltas, the rest as it was.
#include "service/upstream/own_recorder.h"

#include "service/json/parse.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace tokenrelay::upstream;

namespace {

struct Kept final : CallHandler {
  void on_text(std::string_view) override {}
  void on_reasoning(std::string_view) override {}
  void on_tool_call(int, std::string_view, std::string_view, std::string_view) override {}
  void on_end(Outcome) override {}
  uint64_t told_bytes() const override { return 0; }
  void on_own(std::string_view entry, bool shows) override {
    entries.emplace_back(entry);
    shown.push_back(shows);
  }
  std::vector<std::string> entries;
  std::vector<bool> shown;
};

// "event {…}", "shape text 0 BEFORE|AFTER".
std::string told(const std::string& entry) {
  const auto event = decode_own(entry);
  REQUIRE(event);
  if (event->op != OwnEvent::Op::shape) return "event " + std::string(event->json);
  static constexpr const char* voices[] = {"text", "reasoning", "call"};
  return "shape " + std::string(voices[static_cast<int>(event->voice)]) + " " + std::to_string(event->call) + " " +
         std::string(event->before) + "|" + std::string(event->after);
}

struct Recording {
  Recording() {
    options.kind = "test";
    options.api_key = "sk-relays-own-key";
    recorder.begin(options);
  }
  std::vector<std::string> all() const {
    std::vector<std::string> out;
    for (const auto& entry : kept.entries) out.push_back(told(entry));
    return out;
  }
  // `[[` and `]]` stand around what is said; `<<` and `>>` around the number.
  void delta(std::string text, OwnEvent::Voice voice = OwnEvent::Voice::text, int call = 0) {
    const auto cut = [&](const std::string& mark) {
      const size_t at = text.find(mark);
      if (at != text.npos) text.erase(at, mark.size());
      return at;
    };
    size_t number_from = text.npos, number_to = text.npos;
    const size_t from = cut("[["), to = cut("]]");
    number_from = cut("<<");
    number_to = cut(">>");
    const size_t moved = number_from != text.npos && number_from < from ? 4 : 0;
    const std::string_view whole = text;
    const auto said = whole.substr(from - moved, to - from);
    const auto number =
        number_from == text.npos ? std::string_view() : whole.substr(number_from, number_to - number_from);
    REQUIRE(recorder.delta(whole, {said, voice, call}, number));
  }

  Kept kept;
  ProviderOptions options;
  OwnRecorder recorder{kept};
};

}  // namespace

TEST_CASE("own events: deltas in a row cost one shape, whatever they say") {
  Recording test;
  test.delta(R"({"d":"[[a]]","x":1.0})");
  test.delta(R"({"d":"[[\n\u0041\"}]]","x":1.0})");
  test.delta(R"({"d":"[[c]]","x":1.0})");
  CHECK(test.all() == std::vector<std::string>{R"(shape text 0 {"d":"|","x":1.0})"});
  CHECK_FALSE(test.kept.shown[0]);
}

TEST_CASE("own events: another shape, voice or call, and any event between, begins anew") {
  Recording test;
  test.delta(R"({"d":"[[a]]"})");
  test.delta(R"({"e":"[[a]]"})");
  test.delta(R"({"e":"[[a]]"})", OwnEvent::Voice::reasoning);
  test.delta(R"({"e":"[[a]]"})", OwnEvent::Voice::tool_call, 1);
  test.delta(R"({"e":"[[a]]"})", OwnEvent::Voice::tool_call, 2);
  REQUIRE(test.recorder.event(R"({"stop":1})", true));
  test.delta(R"({"e":"[[a]]"})", OwnEvent::Voice::tool_call, 2);
  CHECK(test.all() == std::vector<std::string>{R"(shape text 0 {"d":"|"})", R"(shape text 0 {"e":"|"})",
                                               R"(shape reasoning 0 {"e":"|"})", R"(shape call 1 {"e":"|"})",
                                               R"(shape call 2 {"e":"|"})", R"(event {"stop":1})",
                                               R"(shape call 2 {"e":"|"})"});
  CHECK(test.recorder.shown());
}

TEST_CASE("own events: what no shape can say is an event: nothing, half a character, too much") {
  for (const std::string& piece : {std::string(), std::string(R"(\ud83d)"), std::string(R"(\uDE00 b)"),
                                   std::string("\xf0\x9f"), std::string(5000, 'x')}) {
    INFO(piece);
    Recording test;
    test.delta(R"({"d":"[[)" + piece + R"(]]"})");
    REQUIRE(test.kept.entries.size() == 1);
    CHECK(test.all()[0].starts_with("event "));
    CHECK(test.kept.shown[0]);
  }
  Recording test;
  test.delta(R"({"d":"[[\ud83d\ude00]]"})");
  CHECK(test.all()[0].starts_with("shape "));
}

TEST_CASE("own events: the provider's number is left out, wherever it stands") {
  Recording test;
  test.delta(R"({"sequence_number":<<7>>,"d":"[[a]]"})");
  test.delta(R"({"sequence_number":<<123>>,"d":"[[b]]"})");
  test.delta(R"({"d":"[[c]]" , "sequence_number" : <<9>>})");
  test.delta(R"({"d":"[[c]]","sequence_number":<<10>>,"x":1})");
  CHECK(test.all() == std::vector<std::string>{R"(shape text 0 {"d":"|"})", R"(shape text 0 {"d":"|" })",
                                               R"(shape text 0 {"d":"|","x":1})"});
  const std::string only = R"({"sequence_number":5})";
  REQUIRE(test.recorder.event(only, false, std::string_view(only).substr(19, 1)));
  CHECK(test.all().back() == "event {}");
}

TEST_CASE("own events: padding that means nothing makes no new shape") {
  Recording test;
  test.delta(R"({"d":"[[a]]","obfuscation":"xyz"})");
  test.delta(R"({"d":"[[b]]","obfuscation":"longer"})");
  CHECK(test.all() == std::vector<std::string>{R"(shape text 0 {"d":"|","obfuscation":"xyz"})"});
}

TEST_CASE("own events: one line, valid UTF-8, without what some clients take for a line's end") {
  Recording test;
  REQUIRE(test.recorder.event("{\"a\":1,\n\r\n \"b\":\"\xff\xe2\x80\xa8\"}", true));
  CHECK(test.all()[0] == "event {\"a\":1,    \"b\":\"\xef\xbf\xbd\\u2028\"}");
}

TEST_CASE("own events: the relay's key is hidden in an error, and only there") {
  Recording test;
  REQUIRE(test.recorder.event(R"({"error":{"message":"sk-relays-own-key"}})", false));
  REQUIRE(test.recorder.event(R"({"type" : "x", "error" : "of sk-relays-own-key"})", false));
  REQUIRE(test.recorder.event(R"({"error":null,"text":"\"error\": sk-relays-own-key"})", false));
  CHECK(test.all()[0] == R"(event {"error":{"message":"***"}})");
  CHECK(test.all()[1].find("sk-") == std::string::npos);
  CHECK(test.all()[2].find("sk-") != std::string::npos);
}

TEST_CASE("own events: off, nothing is kept") {
  Recording test;
  test.recorder.end();
  REQUIRE(test.recorder.event("{}", true));
  test.delta(R"({"d":"[[a]]"})");
  CHECK(test.kept.entries.empty());
}

TEST_CASE("own events: an entry is read as it was written, and a damaged one is none") {
  for (const OwnEvent& event :
       {OwnEvent{OwnEvent::Op::event, "{}", {}, 0, {}, {}}, OwnEvent{OwnEvent::Op::piece, "{\"a", {}, 0, {}, {}},
        OwnEvent{OwnEvent::Op::shape, {}, OwnEvent::Voice::tool_call, 300, "{\"", "\"}"}}) {
    const std::string entry = encode_own(event);
    const auto read = decode_own(entry);
    REQUIRE(read);
    CHECK(read->op == event.op);
    CHECK(read->json == event.json);
    CHECK(read->call == event.call);
    CHECK(read->before == event.before);
    CHECK(read->after == event.after);
  }
  for (const std::string& damaged :
       {std::string(), std::string("\x03"), std::string("\x02"), std::string("\x02\x07"), std::string("\x02\x00", 2),
        std::string("\x02\x00\x00\x7f"
                    "ab",
                    6)}) {
    CHECK_FALSE(decode_own(damaged));
  }
}
