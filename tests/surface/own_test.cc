// Requests that go up to their own protocol's provider as they are, and those that may not.
#include "service/surface/own.h"

#include "service/surface/anthropic/opaque.h"
#include "service/surface/anthropic/request.h"
#include "service/surface/chat/request.h"
#include "service/surface/gemini/opaque.h"
#include "service/surface/gemini/request.h"
#include "service/surface/responses/request.h"
#include "tests/support/catch.h"

namespace tokenrelay::surface {
namespace {

using json::Value;
using Read = tl::expected<SurfaceRequest, Error>;

Read messages(const std::string& body, const std::string& kind = "anthropic") {
  auto read = parse_anthropic_request(body, 64, {}, [&](const std::string&) { return kind; });
  if (!read) return tl::make_unexpected(read.error());
  return SurfaceRequest(std::move(*read));
}

Read contents(const std::string& body, const std::string& kind = "gemini") {
  return read_gemini_request(json::parse(body).value(), body, "m", kind);
}

Read chat(const std::string& body, const std::string& kind = "openai") {
  auto read = parse_chat_request(body, 64, [&](const std::string&) { return kind; });
  if (!read) return tl::make_unexpected(read.error());
  return SurfaceRequest(std::move(*read));
}

std::string message_of(const std::string& role, const std::string& block) {
  return R"({"model":"m","messages":[{"role":")" + role + R"(","content":[)" + block + "]}]}";
}

std::string turn_of(const std::string& part) {
  return R"({"contents":[{"role":"model","parts":[)" + part + "]}]}";
}

}  // namespace

TEST_CASE("a request goes up as it is to its own protocol's provider alone") {
  const std::string message = R"({"model":"m","max_tokens":9,"messages":[{"role":"user","content":"hi"}]})";
  CHECK(messages(message).value().own_kind == "anthropic");
  CHECK(messages(message, "openai").value().own_kind.empty());
  CHECK(contents(turn_of(R"({"text":"x"})")).value().own_kind == "gemini");
  CHECK(contents(turn_of(R"({"text":"x"})"), "openai").value().own_kind.empty());
  const std::string completion = R"({"messages":[{"role":"user","content":"hi"}]})";
  CHECK(chat(completion).value().own_kind == "openai");
  CHECK(chat(completion, "anthropic").value().own_kind.empty());
}

TEST_CASE("what the neutral format has no words for goes up, and elsewhere is refused as before") {
  for (const char* block : {R"({"type":"brand_new","x":1})", R"({"type":"container_upload","file_id":"f"})",
                            R"({"type":"image","source":{"type":"file","file_id":"f"}})",
                            R"({"type":"document","context":"c","source":{"type":"text","data":"d"}})"}) {
    INFO(block);
    const auto read = messages(message_of("user", block));
    REQUIRE(read);
    CHECK(read->own_kind == "anthropic");
    CHECK(read->messages.empty());
    REQUIRE(read->untranslated);
    CHECK(read->untranslated->field.starts_with("messages[0].content[0]"));
    CHECK(read->prompt_bytes > 0);
    CHECK_FALSE(messages(message_of("user", block), "openai"));
  }
  const auto read = contents(turn_of(R"({"executableCode":{"code":"1"}})"));
  REQUIRE(read);
  CHECK(read->untranslated);
  CHECK_FALSE(contents(turn_of(R"({"executableCode":{"code":"1"}})"), "openai"));
  CHECK(chat(R"({"messages":[{"role":"user","content":"x"}],"input":"y"})"));
  CHECK_FALSE(chat(R"({"messages":[{"role":"user","content":"x"}],"input":"y"})", "anthropic"));
}

TEST_CASE("what neutral events have no word for goes up to its own provider, whose events say it") {
  const std::string cited =
      R"({"type":"document","citations":{"enabled":true},"source":{"type":"content","content":[]}})";
  CHECK(messages(message_of("user", cited))->own_kind == "anthropic");
  CHECK(messages(message_of("user", cited), "openai").error().param == "messages[0].content[0].citations");
  CHECK(messages(R"({"thread":{"id":"t"},"messages":[]})").error().code == "thread_unsupported_request");
  for (const char* config :
       {R"("candidate_count":2)", R"("responseLogprobs":true)", R"("responseModalities":["TEXT","IMAGE"])"}) {
    INFO(config);
    const std::string body =
        R"({"contents":[{"parts":[{"text":"x"}]}],"generation_config":{)" + std::string(config) + "}}";
    CHECK(contents(body)->own_kind == "gemini");
    CHECK_FALSE(contents(body, "openai"));
  }
  for (const char* member : {R"("n":2)", R"("logprobs":true)", R"("audio":{"voice":"x"})", R"("top_logprobs":3)"}) {
    INFO(member);
    const std::string body = R"({"messages":[{"role":"user","content":"x"}],)" + std::string(member) + "}";
    const auto read = chat(body);
    REQUIRE(read);
    CHECK(read->own_kind == "openai");
    CHECK(read->untranslated);
    CHECK_FALSE(chat(body, "anthropic"));
  }
  CHECK(chat(R"({"messages":[{"role":"user","content":"x"}],"stream":"yes"})").error().param == "stream");
  const auto responses = [](const std::string& body, const std::string& kind) {
    return read_responses_request(json::parse(body).value(), body, kind);
  };
  for (const char* body : {R"({"model":"m","input":[{"type":"brand_new"}]})", R"({"model":"m","prompt":{"id":"p"}})",
                           R"({"model":"m","input":"x","previous_response_id":"resp_theirs"})"}) {
    INFO(body);
    CHECK(responses(body, "openai-responses")->own_kind == "openai-responses");
    CHECK_FALSE(responses(body, "openai"));
  }
  CHECK(responses(R"({"model":"m","input":"x","stream":1})", "openai-responses").error().param == "stream");
}

TEST_CASE("a history with another provider's thoughts is translated") {
  const Value opaque = {{"provider", "openai-responses"}, {"type", "encrypted_reasoning"}, {"data", "e"}};
  const std::string redacted = json::dump(opaque_block(opaque));
  const std::string before = R"({"type":"text","text":"a"},)";
  for (const std::string& block : {redacted, std::string(R"({"type":"thinking","thinking":"t","signature":""})")}) {
    const auto read = messages(message_of("assistant", before + block));
    REQUIRE(read);
    CHECK(read->own_kind.empty());
    CHECK(read->messages.find("\"a\"") != std::string::npos);
  }
  CHECK(messages(message_of("assistant", R"({"type":"thinking","thinking":"t","signature":"s"})"))->own_kind ==
        "anthropic");
  const auto signed_with = [](const std::string& signature) {
    return contents(turn_of(R"({"text":"a","thought_signature":")" + signature + R"("})"))->own_kind;
  };
  CHECK(signed_with(gemini_signature(opaque)).empty());
  CHECK(signed_with("YQ==") == "gemini");
}

}  // namespace tokenrelay::surface
