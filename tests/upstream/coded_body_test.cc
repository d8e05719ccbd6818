// Answers and refusals in a content coding that nobody asked for.
#include "tests/client/packed.h"
#include "tests/upstream/chat/run.h"

using namespace tokenrelay;
using upstream::ErrorCode;
namespace script = support::script;

namespace {

support::Script response(int status, const std::string& coding, const std::string& body) {
  return {script::send("HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Type: text/event-stream\r\n" +
                       (coding.empty() ? "" : "Content-Encoding: " + coding + "\r\n") +
                       "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body)};
}

std::string answer() {
  return script::event(script::text_payload("Hello")) + script::event(script::text_payload(" world")) +
         script::event(script::finish_payload()) + script::done;
}

}  // namespace

TEST_CASE("a compressed answer, a compressed refusal, and one in an unknown coding") {
  for (const char* coding : {"gzip", ""}) {
    const Recorder got = openai_result(response(200, coding, packed(answer(), Format::gzip, 30)));
    CHECK(got.text == "Hello world");
    CHECK_FALSE(got.outcome->failure);
  }
  const std::string words = R"({"error":{"message":"too many words","type":"invalid_request_error"}})";
  const Recorder refused = openai_result(response(400, "deflate", packed(words, Format::zlib)));
  CHECK(code_of(refused) == ErrorCode::upstream_bad_request);
  CHECK(refused.outcome->failure->message == "too many words");

  const Recorder unknown = openai_result(response(200, "br", "\x0b\x02\x80hello\x03"));
  CHECK(code_of(unknown) == ErrorCode::upstream_protocol);
  CHECK(unknown.outcome->failure->message ==
        "the upstream's response cannot be decoded: Content-Encoding br is not supported");
  const Recorder busy = openai_result(response(503, "br", "\x0b\x02\x80hello\x03"));
  CHECK(code_of(busy) == ErrorCode::upstream_overloaded);
  CHECK(busy.outcome->failure->message ==
        "the upstream answered with status 503; its body cannot be decoded: Content-Encoding br is not supported");
}

TEST_CASE("a small body that unpacks to one endless event is over the limit of an event") {
  const std::string bomb = packed("data: " + std::string(64u << 20, 'x'), Format::gzip);
  REQUIRE(bomb.size() < 70'000);
  const Recorder got = openai_result(response(200, "gzip", bomb));
  CHECK(code_of(got) == ErrorCode::upstream_protocol);
  CHECK(got.outcome->failure->message == "the upstream sent an event that is too large");
}
