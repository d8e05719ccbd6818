// useChat's requests: UIMessages as a model's messages, the page's own members, what is refused and by which name.
#include "service/surface/ui/request.h"

#include "service/surface/ui/chats.h"
#include "service/surface/ui/turns.h"
#include "tests/support/catch.h"

namespace tokenrelay::surface {
namespace {

using json::Value;

const std::string hello = R"("messages":[{"id":"u","role":"user","parts":[{"type":"text","text":"hi"}]}])";

std::string some_kind(const std::string&) {
  return "fake";
}

UiRequest good(const std::string& members, const std::string& messages = hello) {
  auto asked = parse_ui_request("{" + messages + members + "}", 64, some_kind);
  INFO((asked ? "" : asked.error().param + ": " + asked.error().message));
  REQUIRE(asked);
  return *asked;
}

Error refused(const std::string& members, const std::string& messages = hello) {
  auto asked = parse_ui_request("{" + messages + members + "}", 64, some_kind);
  REQUIRE_FALSE(asked);
  CHECK(asked.error().status == 400);
  return asked.error();
}

tl::expected<Value, Error> read(const std::string& role, const std::string& parts) {
  return read_ui_messages(json::parse(R"([{"id":"x","role":")" + role + R"(","parts":[)" + parts + "]}]").value(),
                          "fake");
}
Value told(const std::string& role, const std::string& parts) {
  const auto messages = read(role, parts);
  INFO((messages ? "" : messages.error().param + ": " + messages.error().message));
  REQUIRE(messages);
  return *messages;
}
std::string why_not(const std::string& role, const std::string& parts) {
  const auto messages = read(role, parts);
  REQUIRE_FALSE(messages);
  return messages.error().param;
}

Value tool_message(const std::string& id, const std::string& content) {
  return Value{{"role", "tool"}, {"tool_call_id", id}, {"content", content}};
}

}  // namespace

TEST_CASE("what useChat sends by itself", "[ui_request]") {
  const auto asked = good(R"(,"id":"c\"1","trigger":"submit-message")");
  CHECK(asked.chat == "c\"1");
  CHECK(asked.model.empty());
  CHECK(asked.messages == R"([{"role":"user","content":"hi"}])");
  CHECK(asked.prompt_bytes == 2);
  CHECK(asked.parameters.empty());
  CHECK(asked.marks == R"(,"surface":"ui","chat":"c\"1")");
  CHECK(asked.on_disconnect.action == relay::OnDisconnect::Action::keep_going);
}

TEST_CASE("model, system and parameters are read, what else a page sends is its own affair", "[ui_request]") {
  const auto asked = good(R"(,"model":"m","system":"Be brief.","parameters":{"temperature":1},"userId":7,"tools":[])");
  CHECK(asked.model == "m");
  CHECK(asked.messages == R"([{"role":"system","content":"Be brief."},{"role":"user","content":"hi"}])");
  CHECK(asked.prompt_bytes == 11);
  CHECK(asked.parameters == R"({"temperature":1})");
  CHECK(good(R"(,"id":null,"model":null,"system":null,"parameters":null)").chat.empty());
}

TEST_CASE("an answer goes on with the assistant's message whose tools have answered", "[ui_request]") {
  const std::string turns = R"("messages":[{"id":"u","role":"user","parts":[{"type":"text","text":"hi"}]},
    {"id":"a1","role":"assistant","parts":[{"type":"text","text":"yes"}]},
    {"id":"a2","role":"assistant","parts":[{"type":"text","text":"no"}]}])";
  const auto message = [&](const std::string& members) {
    return read_marks(R"({"model":"m")" + good(members, turns).marks + "}").message;
  };
  CHECK(message("") == "a2");
  CHECK(message(R"(,"messageId":"a1","trigger":"submit-message")") == "a1");
  CHECK(message(R"(,"messageId":"u")").empty());
  CHECK(message(R"(,"messageId":"unknown")") == "a2");
  CHECK(message(R"(,"trigger":"regenerate-message","messageId":"a2")").empty());
  const std::string longest = R"("messages":[{"id":")" + std::string(257, 'a') +
                              R"(","role":"assistant","parts":[{"type":"text","text":"yes"}]}])";
  CHECK(read_marks("{\"a\":1" + good("", longest).marks + "}").message.empty());
}

TEST_CASE("a refused UI request names its field", "[ui_request]") {
  CHECK(refused(R"(,"id":7)").param == "id");
  CHECK(refused(",\"id\":\"" + std::string(257, 'c') + "\"").param == "id");
  CHECK(refused(R"(,"model":[])").param == "model");
  CHECK(refused(R"(,"system":{})").param == "system");
  CHECK(refused(R"(,"parameters":[])").param == "parameters");
  CHECK(refused(R"(,"parameters":{"n":1})").param == "parameters.n");
  CHECK(refused(R"(,"parameters":{"messages":[]})").param == "parameters.messages");
  CHECK(refused("", R"("id":"c")").param == "messages");
  CHECK(refused("", R"("messages":[])").param == "messages");
  CHECK(refused("", R"("messages":{})").param == "messages");
  CHECK(refused("", R"("messages":[{"role":"user","parts":[]}])").param == "messages");
  CHECK_FALSE(parse_ui_request("[]", 64, some_kind));
  CHECK_FALSE(parse_ui_request("{", 64, some_kind));
}

TEST_CASE("texts and files of a user", "[ui_messages]") {
  const auto messages = told("user", R"({"type":"text","text":"see"},
    {"type":"file","mediaType":"image/png","url":"data:image/png;base64,AA=="},
    {"type":"file","mediaType":"application/pdf","filename":"a.pdf","url":"data:application/pdf;base64,AA=="},
    {"type":"file","mediaType":"application/pdf","url":"https://example.com/b.pdf"})");
  REQUIRE(messages.size() == 1);
  const auto& parts = messages[0]["content"];
  CHECK(parts[0] == Value{{"type", "text"}, {"text", "see"}});
  CHECK(parts[1] == Value{{"type", "image_url"}, {"image_url", Value{{"url", "data:image/png;base64,AA=="}}}});
  CHECK(parts[2]["file"] == Value{{"file_data", "data:application/pdf;base64,AA=="}, {"filename", "a.pdf"}});
  CHECK(parts[3]["file"] == Value{{"file_url", "https://example.com/b.pdf"}});
  CHECK(why_not("user", R"({"type":"file","mediaType":"image/png","url":"file:///etc/passwd"})") ==
        "messages[0].parts[0].url");
}

TEST_CASE("what is only shown is left out", "[ui_messages]") {
  const auto messages = told("assistant", R"({"type":"step-start"},{"type":"reasoning","text":"hm"},
    {"type":"data-weather","data":{"a":1}},{"type":"source-url","sourceId":"s","url":"u"},
    {"type":"source-document","sourceId":"s"},{"type":"text","text":"yes"})");
  CHECK(messages == json::parse(R"([{"role":"assistant","content":"yes"}])").value());
}

TEST_CASE("tool parts: calls, then results, in order, step by step", "[ui_messages]") {
  const auto messages = told("assistant", R"({"type":"step-start"},{"type":"text","text":"I look."},
    {"type":"tool-weather","toolCallId":"a","state":"output-available","input":{"city":"Bern"},"output":{"sun":1}},
    {"type":"dynamic-tool","toolName":"time","toolCallId":"b","state":"output-error","input":{},"errorText":"no clock"},
    {"type":"step-start"},{"type":"text","text":"Sunny."})");
  REQUIRE(messages.size() == 4);
  CHECK(messages[0]["content"] == "I look.");
  const Value weather = {{"name", "weather"}, {"arguments", R"({"city":"Bern"})"}};
  CHECK(messages[0]["tool_calls"][0] == Value{{"id", "a"}, {"type", "function"}, {"function", weather}});
  CHECK(messages[0]["tool_calls"][1]["function"]["name"] == "time");
  CHECK(messages[1] == tool_message("a", R"({"sun":1})"));
  Value failed = tool_message("b", "no clock");
  failed["is_error"] = true;
  CHECK(messages[2] == failed);
  CHECK(messages[3] == Value{{"role", "assistant"}, {"content", "Sunny."}});
}

TEST_CASE("every state of a tool part", "[ui_messages]") {
  const auto result = [](const std::string& members) {
    const auto messages = told("assistant", R"({"type":"tool-t","toolCallId":"a","input":{},)" + members + "}");
    REQUIRE(messages.size() == 2);
    CHECK(messages[0]["content"].is_null());
    return messages[1]["content"].get<std::string>();
  };
  CHECK(result(R"("state":"output-available","output":"as it is")") == "as it is");
  CHECK(result(R"("state":"output-available","output":[1])") == "[1]");
  CHECK(result(R"("state":"output-available")") == "null");
  CHECK(result(R"("state":"input-available")") == "The tool gave no result.");
  CHECK(result(R"("state":"approval-requested","approval":{"id":"p"})") == "The tool gave no result.");
  CHECK(result(R"("state":"approval-responded","approval":{"id":"p","approved":false,"reason":"no!"})") == "no!");
  CHECK(result(R"("state":"output-denied","approval":{"id":"p","approved":false})") == "Tool execution denied.");
  CHECK(result(R"("state":"output-denied","approval":7)") == "Tool execution denied.");
}

TEST_CASE("a call's input is JSON whatever the page holds of it", "[ui_messages]") {
  const auto arguments = [](const std::string& members) {
    const auto messages = told(
        "assistant", R"({"type":"tool-t","toolCallId":"a","state":"output-error","errorText":"e")" + members + "}");
    return messages[0]["tool_calls"][0]["function"]["arguments"].get<std::string>();
  };
  CHECK(arguments("") == "{}");
  CHECK(arguments(R"(,"input":{"b":[1]})") == R"({"b":[1]})");
  CHECK(arguments(R"(,"rawInput":"{\"b\":1}")") == R"({"b":1})");
  CHECK(arguments(R"(,"rawInput":"{\"b\":")") == "{}");
}

TEST_CASE("an input that was never finished is left out", "[ui_messages]") {
  const auto messages = told("assistant", R"({"type":"text","text":"I"},
    {"type":"tool-t","toolCallId":"a","state":"input-streaming","input":{"b":1}})");
  CHECK(messages == json::parse(R"([{"role":"assistant","content":"I"}])").value());
}

TEST_CASE("what a provider signed goes back to it, and to no other", "[ui_messages]") {
  const std::string parts = R"({"type":"reasoning","text":"hm",
    "providerMetadata":{"tokenrelay":{"provider":"fake","type":"signature","data":"c2ln"}}},
    {"type":"reasoning","text":"","providerMetadata":{"tokenrelay":{"provider":"fake","type":"redacted_thinking","data":"r"}}},
    {"type":"reasoning","text":"","providerMetadata":
      {"tokenrelay":{"provider":"fake","type":"encrypted_reasoning","data":"e","id":"rs_1"}}},
    {"type":"reasoning","text":"its own","providerMetadata":{"tokenrelay":{"provider":"other","type":"signature","data":"x"}}},
    {"type":"tool-t","toolCallId":"a","state":"output-available","input":{},"output":1,"callProviderMetadata":
      {"tokenrelay":{"provider":"fake","type":"thought_signature","data":"g","index":0}}})";
  const auto messages = told("assistant", parts);
  CHECK(messages[0]["content"] == json::parse(R"([{"type":"thinking","thinking":"hm","signature":"c2ln"},
    {"type":"redacted_thinking","data":"r"},
    {"type":"reasoning","id":"rs_1","encrypted_content":"e","summary":[]}])")
                                      .value());
  CHECK(messages[0]["tool_calls"][0]["extra_content"]["google"]["thought_signature"] == "g");
  const auto elsewhere =
      read_ui_messages(json::parse(R"([{"role":"assistant","parts":[)" + parts + "]}]").value(), "openai").value();
  CHECK(elsewhere[0]["content"].is_null());
  CHECK_FALSE(elsewhere[0]["tool_calls"][0].contains("extra_content"));
  for (const std::string hostile :
       {"7", "{\"tokenrelay\":7}", "{\"tokenrelay\":{\"provider\":\"fake\",\"type\":[]}}"}) {
    const auto told_of =
        told("assistant",
             R"({"type":"text","text":"a"},{"type":"reasoning","text":"b","providerMetadata":)" + hostile + "}");
    CHECK(told_of[0]["content"] == "a");
  }
}

TEST_CASE("hostile messages are refused by place", "[ui_messages]") {
  CHECK(why_not("tool", "") == "messages[0].role");
  CHECK(why_not("user", "7") == "messages[0].parts[0]");
  CHECK(why_not("user", R"({"type":"text"})") == "messages[0].parts[0].text");
  CHECK(why_not("user", R"({"type":"text","text":"a"},{"type":"spell"})") == "messages[0].parts[1].type");
  CHECK(why_not("user", R"({"type":"tool-t","toolCallId":"a","state":"output-available"})") ==
        "messages[0].parts[0].type");
  CHECK(why_not("assistant", R"({"type":"tool-t","state":"output-available"})") == "messages[0].parts[0].toolCallId");
  CHECK(why_not("assistant", R"({"type":"tool-","toolCallId":"a"})") == "messages[0].parts[0].toolName");
  CHECK(why_not("assistant", R"({"type":"dynamic-tool","toolCallId":"a"})") == "messages[0].parts[0].toolName");
  CHECK(read_ui_messages(json::parse("[7]").value(), "fake").error().param == "messages[0]");
  CHECK(read_ui_messages(json::parse(R"([{"role":"user"}])").value(), "fake").error().param == "messages[0].parts");
  CHECK(read_ui_messages(json::parse(R"([{"role":"user","parts":{}}])").value(), "fake").error().param ==
        "messages[0].parts");
}

}  // namespace tokenrelay::surface
