#include "service/api/socket_message.h"

#include "service/json/parse.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using namespace tokenrelay::api;
using Kind = SocketCommand::Kind;

namespace {

SocketCommand good(std::string_view text) {
  const auto command = parse_socket_command(text, 64);
  CAPTURE(text);
  REQUIRE(command);
  return *command;
}

// The ref that the error carries; "(accepted)" if there is none.
std::string bad(std::string_view text) {
  const auto command = parse_socket_command(text, 64);
  if (!command) CHECK_FALSE(command.error().detail.empty());
  return command ? "(accepted)" : command.error().ref;
}

}  // namespace

TEST_CASE("commands", "[socket_message]") {
  CHECK(good(R"({"type":"cancel","ref":"a"})").kind == Kind::cancel);
  CHECK(good(R"({"type":"cancel","ref":"a"})").ref == "a");
  CHECK(good(R"({"type":"cancel"})").ref.empty());
  CHECK(good(R"({"ref":"b","content":"caf\u00e9","type":"steer"})").content == "caf\xc3\xa9");
  CHECK(good(R"({"type":"unsubscribe","ref":"d"})").kind == Kind::unsubscribe);
  const auto subscribe = good(R"({"type":"subscribe","ref":"c","last_event_id":"q7m2k4xwab-57"})");
  REQUIRE(subscribe.cursor);
  CHECK(subscribe.cursor->seq == 57);
  for (const char* none : {R"({"type":"subscribe"})", R"({"type":"subscribe","last_event_id":""})",
                           R"({"type":"subscribe","last_event_id":null})"}) {
    CHECK_FALSE(good(none).cursor);
  }
  CHECK(name_of(Kind::cancel) == "cancel");
  CHECK(name_of(Kind::unsubscribe) == "unsubscribe");
}

TEST_CASE("a bad message is refused under its ref, if that can be read", "[socket_message]") {
  for (const char* text :
       {"", "x", "[]", "5", "null", "{}", "{", R"({"type":"cancel","ref":5})", R"({"type":"cancel","ref":null})"}) {
    CAPTURE(text);
    CHECK(bad(text).empty());
  }
  CHECK(bad(R"({"type":"cancel","ref":")" + std::string(129, 'r') + "\"}").empty());
  CHECK(bad(R"({"type":"cancel","ref":")" + std::string(128, 'r') + "\"}") == "(accepted)");
  for (const char* text :
       {R"({"ref":"r"})", R"({"ref":"r","type":5})", R"({"ref":"r","type":"Cancel"})", R"({"ref":"r","type":"hello"})",
        R"({"ref":"r","type":"steer"})", R"({"ref":"r","type":"steer","content":""})",
        R"({"ref":"r","type":"steer","content":5})", R"({"ref":"r","type":"steer","content":null})",
        R"({"ref":"r","type":"steer","content":"x","more":1})", R"({"ref":"r","type":"cancel","content":"x"})",
        R"({"ref":"r","type":"subscribe","last_event_id":5})",
        R"({"ref":"r","type":"subscribe","last_event_id":"nonsense"})",
        R"({"ref":"r","type":"subscribe","last_event_id":"q7m2k4xwab-0x1"})",
        R"({"ref":"r","type":"unsubscribe","last_event_id":"q7m2k4xwab-1"})"}) {
    CAPTURE(text);
    CHECK(bad(text) == "r");
  }
  std::string deep = R"({"type":"cancel","ref":"r","x":)";
  CHECK(bad(deep + std::string(1000, '[') + std::string(1000, ']') + "}").empty());
}

TEST_CASE("answers are one line of JSON", "[socket_message]") {
  const std::string nasty = "\"\n\\\x01 caf\xc3\xa9";
  for (const auto& text : {ack_message(nasty, "streaming", ""), ack_message("a", "completed", "q7m2k4xwab-3"),
                           error_message(nasty, "invalid_request", nasty)}) {
    CHECK(text.find('\n') == std::string::npos);
    REQUIRE(json::parse(text));
  }
  CHECK(json::parse(ack_message(nasty, "s", ""))->at("ref") == nasty);
  CHECK_FALSE(json::parse(ack_message("a", "s", ""))->contains("event_id"));
  CHECK(json::parse(ack_message("a", "s", "q7m2k4xwab-3"))->at("event_id") == "q7m2k4xwab-3");
  CHECK_FALSE(json::parse(error_message("", "c", "m"))->contains("ref"));
  CHECK(json::parse(error_message("a", "c", "m"))->at("ref") == "a");
}
