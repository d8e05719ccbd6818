// The UI surface's parts: their order, and that every part finds the one it speaks of.
#include "service/surface/ui/encoder.h"

#include <map>
#include <set>

#include "service/surface/ui/chats.h"
#include "tests/relay/relay_fixture.h"
#include "tests/support/catch.h"
#include "tests/surface/wire_events.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using storage::EventKind;

struct UiFixture : relay::RelayFixture {
  std::shared_ptr<relay::Stream> answer = stream();
  const std::string message = "msg_" + answer->id().substr(5);

  std::string bytes(const Written& log, bool resumed = false) {
    return bytes_of(log, *make_ui_encoder(*answer, resumed));
  }
  std::vector<std::string> parts(const Written& log, bool resumed = false) {
    auto lines = data_of(bytes(log, resumed));
    REQUIRE(lines.back() == "[DONE]");
    lines.pop_back();
    return lines;
  }
  // What useChat adds up: its texts and inputs by id; a part that speaks of none throws.
  std::map<std::string, std::string> held(const Written& log) {
    std::map<std::string, std::string> out;
    std::set<std::string> open;
    for (const auto& line : parts(log)) {
      const auto part = json::parse(line).value();
      const auto type = part.at("type").get<std::string>();
      const std::string id = part.value("id", part.value("toolCallId", ""));
      if (type.ends_with("-start") && !id.empty()) open.insert(id), out[id];
      if (type.ends_with("-delta")) {
        if (!open.count(id)) throw std::runtime_error("a delta of nothing: " + line);
        out.at(id) += part.value("delta", part.value("inputTextDelta", ""));
      }
      if (type.ends_with("-end") && open.erase(id) == 0) throw std::runtime_error("an end of nothing: " + line);
    }
    return out;
  }
};

Logged failed() {
  return done(R"("status":"failed","error":{"code":"upstream_truncated","message":"cut \"off\"","retryable":false})");
}

const std::string finish_step = R"({"type":"finish-step"})";

}  // namespace

TEST_CASE("a whole answer: blocks begin and end around what they hold", "[ui_face]") {
  UiFixture f;
  CHECK(f.parts({started(), reasoning("h"), reasoning("m"), text("a\n"), completed()}) ==
        std::vector<std::string>{
            R"({"type":"start","messageId":")" + f.message + "\"}", R"({"type":"start-step"})",
            R"({"type":"reasoning-start","id":"0"})", R"({"type":"reasoning-delta","id":"0","delta":"h"})",
            R"({"type":"reasoning-delta","id":"0","delta":"m"})", R"({"type":"reasoning-end","id":"0"})",
            R"({"type":"text-start","id":"1"})", R"({"type":"text-delta","id":"1","delta":"a\n"})",
            R"({"type":"text-end","id":"1"})", finish_step, R"({"type":"finish","finishReason":"stop"})"});
}

TEST_CASE("finish reasons in this protocol's spelling", "[ui_face]") {
  UiFixture f;
  for (const auto& [ours, theirs] : std::map<std::string, std::string>{{"stop", "stop"},
                                                                       {"length", "length"},
                                                                       {"tool_calls", "tool-calls"},
                                                                       {"content_filter", "content-filter"},
                                                                       {"other", "other"}}) {
    CHECK(f.parts({started(), completed(ours)}).back() == R"({"type":"finish","finishReason":")" + theirs + "\"}");
  }
}

TEST_CASE("calls told side by side: their inputs are available at the end, parsed", "[ui_face]") {
  UiFixture f;
  const auto parts = f.parts(
      {started(), text("I"), call(0, ""), call(1, "{\"b\":"), call(0, "{}"), call(1, "[1]}"), completed("tool_calls")});
  CHECK(std::vector<std::string>(parts.begin() + 5, parts.end()) ==
        std::vector<std::string>{
            R"({"type":"tool-input-start","toolCallId":"call_0","toolName":"weather"})",
            R"({"type":"tool-input-start","toolCallId":"call_1","toolName":"weather"})",
            R"({"type":"tool-input-delta","toolCallId":"call_1","inputTextDelta":"{\"b\":"})",
            R"({"type":"tool-input-delta","toolCallId":"call_0","inputTextDelta":"{}"})",
            R"({"type":"tool-input-delta","toolCallId":"call_1","inputTextDelta":"[1]}"})",
            R"({"type":"tool-input-available","toolCallId":"call_0","toolName":"weather","input":{}})",
            R"({"type":"tool-input-available","toolCallId":"call_1","toolName":"weather","input":{"b":[1]}})",
            finish_step, R"({"type":"finish","finishReason":"tool-calls"})"});
}

TEST_CASE("an input that is no JSON is an error of that call; none is an empty object", "[ui_face]") {
  UiFixture f;
  const auto parts = f.parts({started(), call(0, "{\"a\":"), call(1, ""), completed("tool_calls")});
  const auto error = json::parse(parts.at(parts.size() - 4)).value();
  CHECK(error["type"] == "tool-input-error");
  CHECK(error["input"] == "{\"a\":");
  CHECK(json::parse(parts.at(parts.size() - 3)).value()["input"] == Value::object());
}

TEST_CASE("a call's signature comes with its input", "[ui_face]") {
  UiFixture f;
  const auto signature = R"({"provider":"gemini","type":"thought_signature","data":"c2ln","index":0})";
  const auto parts = f.parts({started(), call(0, "{}"), event(EventKind::opaque, signature), completed("tool_calls")});
  const auto available = json::parse(parts.at(parts.size() - 3)).value();
  CHECK(available["providerMetadata"]["tokenrelay"] == json::parse(signature).value());
}

TEST_CASE("what a provider wants back stands on the block that it signs, else on one of its own", "[ui_face]") {
  UiFixture f;
  const std::string signature = R"({"provider":"p","type":"signature","data":"s"})",
                    redacted = R"({"provider":"p","type":"redacted_thinking","data":"r"})";
  const auto parts = f.parts({started(), reasoning("h"), event(EventKind::opaque, signature),
                              event(EventKind::opaque, redacted), text("a"), completed()});
  CHECK(parts.at(4) == R"({"type":"reasoning-end","id":"0","providerMetadata":{"tokenrelay":)" + signature + "}}");
  CHECK(parts.at(5) == R"({"type":"reasoning-start","id":"1"})");
  CHECK(parts.at(6) == R"({"type":"reasoning-end","id":"1","providerMetadata":{"tokenrelay":)" + redacted + "}}");
  CHECK(parts.at(7) == R"({"type":"text-start","id":"2"})");
}

TEST_CASE("what a cancelled, failed or steered answer called is never made available", "[ui_face]") {
  UiFixture f;
  const auto available = [&](const Written& log) {
    return f.bytes(log).find("tool-input-available") != std::string::npos;
  };
  CHECK_FALSE(available({started(), call(0, "{}"), done(R"("status":"cancelled")")}));
  CHECK_FALSE(available({started(), call(0, "{}"), failed()}));
  const Written steered = {started(), call(0, "{}"), event(EventKind::steer, R"({"content":"c"})"), text("b"),
                           completed()};
  CHECK_FALSE(available(steered));
  CHECK(f.bytes(steered).find("tool-input-error") != std::string::npos);
}

TEST_CASE("a cancelled answer is aborted, a failed one an error; open blocks end first", "[ui_face]") {
  UiFixture f;
  const auto cancelled = f.parts({started(), text("a"), done(R"("status":"cancelled")")});
  CHECK(cancelled.at(4) == R"({"type":"text-end","id":"0"})");
  CHECK(cancelled.back() == R"({"type":"abort"})");
  CHECK(f.parts({started(), failed()}).back() == R"({"type":"error","errorText":"cut \"off\""})");
}

TEST_CASE("a steer and a seam are invisible: text goes on in the same block", "[ui_face]") {
  UiFixture f;
  const Written seamed = {started(),
                          text("a"),
                          event(EventKind::steer, R"({"content":"c"})"),
                          event(EventKind::upstream, R"({"attempt":2,"reason":"r"})"),
                          text("b"),
                          completed()};
  CHECK(f.parts(seamed) == f.parts({started(), text("a"), text("b"), completed()}));
}

TEST_CASE("an answer that goes on with the client's message has its id, except for who resumes", "[ui_face]") {
  UiFixture f;
  const Written log = {started(marks_of({"c", "m\"1"})), completed()};
  CHECK(f.parts(log).front() == R"({"type":"start","messageId":"m\"1"})");
  CHECK(f.parts(log, true).front() == R"({"type":"start","messageId":")" + f.message + "\"}");
  // Made on another surface, whatever its marks are called.
  CHECK(f.parts({started(R"(,"surface":"chat","message":"x")"), completed()}).front().find(f.message) !=
        std::string::npos);
}

TEST_CASE("parts are a pure function of the log; merged deltas say the same", "[ui_face]") {
  UiFixture f;
  const Written apart = {started(),    text("a"),    text("b"),    reasoning("x"), reasoning("y"), text("c"),
                         call(0, "{"), call(1, "{"), call(1, "}"), call(0, "}"),   completed()};
  const Written merged = {started(),    text("ab", 2),    reasoning("xy", 2), text("c"),
                          call(0, "{"), call(1, "{}", 2), call(0, "}"),       completed()};
  CHECK(f.bytes(apart) == f.bytes(apart));
  CHECK(f.held(apart) == f.held(merged));
  CHECK(f.held(apart) ==
        std::map<std::string, std::string>{{"0", "ab"}, {"1", "xy"}, {"2", "c"}, {"call_0", "{}"}, {"call_1", "{}"}});
  const auto one = make_ui_encoder(*f.answer, false), other = make_ui_encoder(*f.answer, false);
  bytes_of(apart, *one);
  bytes_of(merged, *other);
  CHECK(one->next_number() == other->next_number());
}

TEST_CASE("events of the log that are not what they should be break nothing", "[ui_face]") {
  UiFixture f;
  const auto parts =
      f.parts({event(EventKind::start, "[]"), event(EventKind::tool_call, ""), event(EventKind::opaque, "{"),
               event(EventKind::opaque, R"({"type":"thought_signature"})"), event(EventKind::done, "{}")});
  CHECK(parts.back() == R"({"type":"abort"})");
}

}  // namespace tokenrelay::surface
