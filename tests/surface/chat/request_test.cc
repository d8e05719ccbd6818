// Chat Completions requests: what the relay reads itself, what it passes on, what it refuses and by which name.
#include "service/surface/chat/request.h"

#include "tests/support/catch.h"

namespace tokenrelay::surface {
namespace {

std::string foreign_kind(const std::string&) {
  return "gemini";
}

const std::string messages = R"("messages":[{"role":"user","content":"hé"}])";

ChatRequest good(const std::string& members) {
  auto asked = parse_chat_request("{" + messages + members + "}", 64, foreign_kind);
  INFO((asked ? "" : asked.error().param + ": " + asked.error().message));
  REQUIRE(asked);
  return *asked;
}

Error refused(const std::string& body) {
  auto asked = parse_chat_request(body, 64, foreign_kind);
  REQUIRE_FALSE(asked);
  CHECK(asked.error().status == 400);
  return asked.error();
}

}  // namespace

TEST_CASE("a chat request without more: not streamed, the default model, no parameters", "[chat_request]") {
  const auto asked = good("");
  CHECK(asked.messages == R"([{"role":"user","content":"hé"}])");
  CHECK(asked.prompt_bytes == 3);
  CHECK(asked.model.empty());
  CHECK(asked.parameters == "{}");
  CHECK_FALSE(asked.stream);
  CHECK_FALSE(asked.include_usage);
  CHECK(asked.marks == R"(,"surface":"chat")");
}

TEST_CASE("what the relay sets itself is read, the rest goes on as it came", "[chat_request]") {
  const auto asked = good(R"(,"model":"m","stream":true,"stream_options":{"include_usage":true},"n":1,
    "temperature":0.5,"tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"text"})");
  CHECK(asked.model == "m");
  CHECK(asked.stream);
  CHECK(asked.include_usage);
  CHECK(
      asked.parameters ==
      R"({"temperature":0.5,"tools":[{"type":"function","function":{"name":"f"}}],"response_format":{"type":"text"}})");
}

TEST_CASE("null is as good as absent", "[chat_request]") {
  const auto asked = good(R"(,"stream":null,"stream_options":null,"n":null)");
  CHECK_FALSE(asked.stream);
  CHECK_FALSE(asked.include_usage);
  CHECK(asked.parameters == "{}");
}

TEST_CASE("a refused chat request names its field", "[chat_request]") {
  CHECK(refused("{" + messages + R"(,"n":2})").param == "n");
  CHECK(refused("{" + messages + R"(,"logprobs":true})").param == "logprobs");
  CHECK(refused("{" + messages + R"(,"top_logprobs":3})").param == "top_logprobs");
  CHECK(refused("{" + messages + R"(,"modalities":["text","audio"]})").param == "modalities");
  CHECK(refused("{" + messages + R"(,"audio":{"voice":"v"}})").param == "audio");
  CHECK(refused("{" + messages + R"(,"stream":"yes"})").param == "stream");
  CHECK(refused("{" + messages + R"(,"stream_options":[]})").param == "stream_options");
  CHECK(refused("{" + messages + R"(,"model":7})").param == "model");
  CHECK(refused("{" + messages + R"(,"model":")" + std::string(257, 'm') + "\"}").param == "model");
  for (const std::string name : {"prompt", "input", "contents", "background"}) {
    CHECK(refused("{" + messages + ",\"" + name + "\":1}").param == name);
  }
  CHECK(refused("{}").param == "messages");
  CHECK(refused(R"({"messages":[]})").param == "messages");
  CHECK(refused(R"({"messages":[{"role":"user"}]})").param == "messages");
}

TEST_CASE("a body that is no object, no JSON, or too deep", "[chat_request]") {
  CHECK_FALSE(refused("[]").message.empty());
  CHECK_FALSE(refused("{").message.empty());
  CHECK_FALSE(refused("").message.empty());
  CHECK_FALSE(refused("{" + messages + ",\"a\":" + std::string(70, '[') + std::string(70, ']') + "}").message.empty());
}

}  // namespace tokenrelay::surface
