#include "service/relay/conversation.h"

#include "service/json/parse.h"
#include "tests/support/catch.h"

using namespace tokenrelay;
using relay::Conversation;
using storage::EventKind;

namespace {

const std::string stored =
    R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"u"}]}],"parameters":{"temperature":0.5}})";

json::Value messages_of(const Conversation& conversation) {
  const auto request = conversation.request(stored);
  REQUIRE(request);
  return *json::parse(request->messages);
}

}  // namespace

TEST_CASE("nothing was said: the request as it was", "[conversation]") {
  Conversation conversation;
  const auto request = conversation.request(stored);
  REQUIRE(request);
  CHECK(request->model == "m");
  CHECK(*json::parse(request->messages) == json::parse(stored)->at("messages"));
  CHECK(*json::parse(request->parameters) == json::Value{{"temperature", 0.5}});
  CHECK(conversation.text_bytes() == 0);
}

TEST_CASE("text joins into turns, steers are the user's, all else is left out", "[conversation]") {
  Conversation conversation;
  conversation.add(EventKind::start, "{}");
  conversation.add(EventKind::reasoning, "hm");
  conversation.add(EventKind::text, "caf\xc3\xa9 \"");
  conversation.add(EventKind::tool_call, "x");
  conversation.add(EventKind::text, "\n\xf0\x9f\x99\x82");
  conversation.add(EventKind::upstream, R"({"attempt":2,"reason":"x"})");
  conversation.add(EventKind::steer, R"({"content":"one \u00e9"})");
  conversation.add(EventKind::steer, R"({"content":"two"})");
  conversation.add(EventKind::text, "x");
  const auto messages = messages_of(conversation);
  REQUIRE(messages.size() == 5);
  CHECK(messages[1] == json::Value{{"role", "assistant"}, {"content", "caf\xc3\xa9 \"\n\xf0\x9f\x99\x82"}});
  CHECK(messages[2] == json::Value{{"role", "user"}, {"content", "one \xc3\xa9"}});
  CHECK(messages[3] == json::Value{{"role", "user"}, {"content", "two"}});
  CHECK(messages[4] == json::Value{{"role", "assistant"}, {"content", "x"}});
  CHECK(conversation.text_bytes() == 12 + 6 + 3 + 1);
}

TEST_CASE("a stored request that cannot be read is said so", "[conversation]") {
  Conversation conversation;
  for (const char* bad : {"", "nonsense", "[]", "{}", R"({"model":"m"})"}) CHECK_FALSE(conversation.request(bad));
}
